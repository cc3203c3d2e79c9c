package app

import (
	"bytes"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/config"
)

// ownMemory is about what the program takes beside its calls.
const ownMemory = 64 << 20

// MemoryLimit is how many bytes of memory the program is to take: what the config says, else what
// GOMEMLIMIT says, else three quarters of what the machine or the cgroup has. It is 0 where none of
// these is known.
func MemoryLimit(c *config.Config) int64 {
	if c.Limits.Memory > 0 {
		return int64(c.Limits.Memory)
	}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 && os.Getenv("GOMEMLIMIT") != "" {
		return limit
	}
	return availableMemory(os.ReadFile) / 4 * 3 >> 20 << 20 // whole MiB, which people can read
}

// memoryOfCalls is what of a program's memory its calls may have.
func memoryOfCalls(limit int64) int64 { return max(limit-ownMemory, limit/2) }

// availableMemory is the least of what the machine has and of what the cgroups of this process may
// have; 0 if nothing says so.
func availableMemory(read func(string) ([]byte, error)) int64 {
	least := int64(math.MaxInt64)
	note := func(text []byte) {
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	if info, err := read("/proc/meminfo"); err == nil {
		for line := range strings.SplitSeq(string(info), "\n") {
			if kib, ok := strings.CutPrefix(line, "MemTotal:"); ok {
				kib = strings.TrimSpace(strings.TrimSuffix(kib, "kB"))
				if n, err := strconv.ParseInt(kib, 10, 64); err == nil {
					least = min(least, n<<10)
				}
			}
		}
	}
	groups, _ := read("/proc/self/cgroup") // there are none elsewhere than on Linux
	for line := range strings.SplitSeq(string(groups), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		if parts[0] != "0" {
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) { // the limits of those above hold, too
			if text, err := read(path.Join(root, at, file)); err == nil {
				note(text)
			}
			if at == "/" {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
