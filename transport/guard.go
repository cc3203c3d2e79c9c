package transport

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrAddress is the error of an address that the egress guard refuses.
var ErrAddress = errors.New("address refused by the egress guard")

// Sources: the IANA registries of IPv4 and IPv6 special-purpose addresses, and the
// clouds' documentation for their metadata services.
var (
	// metadata are services that hand out credentials to whoever reaches them. They
	// are refused whatever a config says.
	metadata = prefixes(
		"169.254.169.254/32", // most clouds
		"fd00:ec2::254/128",  // Amazon, IPv6
		"fd00:ec2::23/128",   // Amazon, IPv6, in containers
		"fd20:ce::254/128",   // Google, IPv6
		"100.100.100.200/32", // Alibaba
		"192.0.0.192/32",     // Oracle
		"168.63.129.16/32",   // Azure's platform, at a public address
	)
	// internal are networks of one's own.
	internal = prefixes(
		"127.0.0.0/8", "::1/128",
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
		"100.64.0.0/10", // behind a carrier's translation, and overlay networks
	)
	// special are addresses at which no service can be.
	special = prefixes(
		"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23",     // Teredo, benchmarking and other protocols' own
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4, which embeds any IPv4 address
		"3fff::/20",     // documentation
	)
	// global is all of IPv6 that is routed; translated, site-local, link-local and
	// multicast addresses are outside.
	global = netip.MustParsePrefix("2000::/3")
)

// Allowed says whether a connection may be made to addr: nil, or an error that
// wraps ErrAddress. private lets loopback and private networks pass, for a provider
// whose configured address is there.
func Allowed(addr netip.Addr, private bool) error {
	switch {
	case !addr.IsValid():
		return refused(addr, "not an address")
	case addr.Zone() != "":
		return refused(addr, "bound to an interface")
	case addr.Is4In6():
		return refused(addr, "an IPv4 address in disguise")
	case within(metadata, addr):
		return refused(addr, "a cloud's metadata service")
	case within(internal, addr):
		if private {
			return nil
		}
		return refused(addr, "a private address")
	case within(special, addr), addr.Is6() && !global.Contains(addr):
		return refused(addr, "not a public address")
	}
	return nil
}

func refused(addr netip.Addr, why string) error {
	return fmt.Errorf("%w: %s is %s", ErrAddress, addr, why)
}

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
