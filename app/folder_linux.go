package app

import (
	"errors"
	"syscall"
)

// errNetwork is a data folder where neither locks nor flushes can be relied on.
var errNetwork = errors.New("it is on a network file system, where a ledger is not safe; with store: postgres://… the ledger is in a database, and the folder can be local")

// local refuses a folder on a network file system.
func local(path string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return err
	}
	if isNetwork(uint32(s.Type)) { //nolint:gosec // its type differs between architectures, and 32 bits are used
		return errNetwork
	}
	return nil
}

// isNetwork knows NFS, the three of Windows' shares, AFS, Ceph and 9P by their numbers (statfs(2)).
func isNetwork(kind uint32) bool {
	switch kind {
	case 0x6969, 0x517b, 0xfe534d42, 0xff534d42, 0x5346414f, 0x00c36400, 0x01021997:
		return true
	}
	return false
}
