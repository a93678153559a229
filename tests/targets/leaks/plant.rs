// SPDX-License-Identifier: BSD-2-Clause
// plant.rs - a plant in Rust: a file that is forgotten
use std::fs::File;
use std::io::Read;

#[inline(never)]
fn leaky(path: &str, is_repaired: bool) -> std::io::Result<()> {
    let file = File::open(path)?; // LEAK for rust in leaky through main
    if !is_repaired {
        std::mem::forget(file);
    }
    Ok(())
}

fn wait_for_line() {
    let mut byte = [0u8];
    while std::io::stdin().read(&mut byte).unwrap_or(0) == 1 && byte[0] != b'\n' {}
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let waits = args.get(3).map(String::as_str) == Some("wait");
    if waits {
        println!("begin");
        wait_for_line();
    }
    for _ in 0..3 {
        leaky("/dev/null", args[2] == "repaired").unwrap();
    }
    if waits {
        println!("ready");
        wait_for_line();
    }
}
