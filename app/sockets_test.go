package app

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestTakeSockets(t *testing.T) {
	t.Parallel()
	me := strconv.Itoa(os.Getpid())
	for _, tc := range []struct {
		pid, fds string
		wrong    bool
	}{
		{"", "", false},
		{"", "1", false},
		{"1" + me, "1", false}, // for another process
		{me, "0", false},
		{me, "x", true},
		{me, "-1", true},
		{me, "99999", true},
	} {
		got, err := takeSockets(func(name string) (string, bool) {
			value := map[string]string{"LISTEN_PID": tc.pid, "LISTEN_FDS": tc.fds}[name]
			return value, value != ""
		})
		if len(got) > 0 || (err != nil) != tc.wrong || err != nil && !strings.Contains(err.Error(), "LISTEN_FDS") {
			t.Errorf("%q, %q: got %v, %v, want none, and an error %v", tc.pid, tc.fds, got, err, tc.wrong)
		}
	}
}

func TestIsSameAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		given, socket string
		want          bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"127.0.0.1:80", "0.0.0.0:80", false},
		{":80", "[::]:80", true},
		{":80", "127.0.0.1:80", false},
		{"0.0.0.0:80", "[::]:80", true},
		{"[::1]:80", "[::1]:80", true},
		{"localhost:80", "127.0.0.1:80", true},
		{"localhost:80", "10.0.0.1:80", false},
		{"127.0.0.1", "127.0.0.1:80", false},
		{"127.0.0.1:80", "/run/socket", false},
	} {
		if got := isSameAddress(tc.given, tc.socket); got != tc.want {
			t.Errorf("%s, %s: got %v, want %v", tc.given, tc.socket, got, tc.want)
		}
	}
}
