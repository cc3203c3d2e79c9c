//go:build !linux

package main

import (
	"errors"
	"os"
	"time"
)

var errLinuxOnly = errors.New("CPU time and memory of another process are read on Linux only: run the bench there")

func cpuTime(int) (time.Duration, error) { return 0, errLinuxOnly }

func memory(int) (int64, error) { return 0, errLinuxOnly }

func flush(*os.File) error { return errLinuxOnly }
