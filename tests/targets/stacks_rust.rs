// SPDX-License-Identifier: BSD-2-Clause
// stacks_rust.rs - Rust for test_symbolize: stands still in a method called from a generic function
use std::io::{Read, Write};

struct Keeper {
    line: Vec<u8>,
}

impl Keeper {
    #[inline(never)]
    fn stop_here(&mut self) {
        std::io::stdout().write_all(b"ready\n").unwrap();
        std::io::stdout().flush().unwrap();
        let mut byte = [0u8; 1];
        while std::io::stdin().read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            self.line.push(byte[0]);
        }
    }
}

#[inline(never)]
fn generic<T: AsRef<str>>(keeper: &mut Keeper, text: T) -> usize {
    keeper.stop_here();
    keeper.line.len() + text.as_ref().len()
}

fn main() {
    let mut keeper = Keeper { line: Vec::new() };
    let n = generic(&mut keeper, "text".to_string());
    std::process::exit(if n > 1000 { 1 } else { 0 });
}
