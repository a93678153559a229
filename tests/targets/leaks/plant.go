// SPDX-License-Identifier: BSD-2-Clause
// plant.go - a plant in Go: on a goroutine's stack
package main

import (
	"fmt"
	"os"
	"syscall"
)

//go:noinline
func leaky(path string, isRepaired bool) {
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0) // LEAK for go in main.leaky thread
	if err != nil {
		panic(err)
	}
	if isRepaired {
		syscall.Close(fd)
	}
}

// Not by os.Stdin: that would open a poller.
func waitForLine() {
	byte := make([]byte, 1)
	for {
		n, err := syscall.Read(0, byte)
		if err == syscall.EINTR {
			continue
		}
		if n != 1 || byte[0] == '\n' {
			return
		}
	}
}

func main() {
	waits := len(os.Args) > 3 && os.Args[3] == "wait"
	if waits {
		fmt.Println("begin")
		waitForLine()
	}
	done := make(chan bool)
	go func() {
		for i := 0; i < 3; i++ {
			leaky("/dev/null", os.Args[2] == "repaired")
		}
		done <- true
	}()
	<-done
	if waits {
		fmt.Println("ready")
		waitForLine()
	}
}
