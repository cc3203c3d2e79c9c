package app

import (
	"os"
	"testing"
)

func TestAvailableMemory(t *testing.T) {
	const machine = "MemTotal:       24576000 kB\nMemFree:  1 kB\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing is known", nil, 0},
		{"a machine", map[string]string{"/proc/meminfo": machine}, 24576000 << 10},
		{"a container", map[string]string{
			"/proc/meminfo": machine, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n",
		}, 512 << 20},
		{"a service in a slice with a limit", map[string]string{
			"/proc/meminfo": machine, "/proc/self/cgroup": "0::/system.slice/understudy.service\n",
			"/sys/fs/cgroup/system.slice/understudy.service/memory.max": "max\n", "/sys/fs/cgroup/system.slice/memory.max": "1073741824\n",
		}, 1 << 30},
		{"the first version of cgroups", map[string]string{
			"/proc/meminfo": machine, "/proc/self/cgroup": "5:cpu,cpuacct:/\n9:memory:/docker/x\n",
			"/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "268435456\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 256 << 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := availableMemory(func(path string) ([]byte, error) {
				text, ok := test.files[path]
				if !ok {
					return nil, os.ErrNotExist
				}
				return []byte(text), nil
			})
			if got != test.want {
				t.Errorf("got %d bytes, want %d", got, test.want)
			}
		})
	}
}
