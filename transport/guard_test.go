package transport

import (
	"errors"
	"net/netip"
	"testing"
)

// Addresses that a provider may be at, and that it may not (S31, S32, S33).
func TestAllowed(t *testing.T) {
	const (
		public  = "public"  // always
		private = "private" // only for a private provider
		never   = "never"
	)
	for _, tc := range []struct{ addr, want string }{
		{"8.8.8.8", public},
		{"1.0.0.0", public},
		{"9.255.255.255", public},
		{"11.0.0.0", public},
		{"100.63.255.255", public},
		{"100.128.0.0", public},
		{"126.255.255.255", public},
		{"128.0.0.0", public},
		{"169.253.255.255", public},
		{"169.255.0.0", public},
		{"172.15.255.255", public},
		{"172.32.0.0", public},
		{"192.0.1.0", public},
		{"192.167.255.255", public},
		{"192.169.0.0", public},
		{"198.17.255.255", public},
		{"198.20.0.0", public},
		{"223.255.255.255", public},
		{"2606:4700::1111", public},
		{"2a00:1450:4001::1", public},
		{"2001:4860:4860::8888", public},

		{"127.0.0.1", private},
		{"127.255.255.255", private},
		{"::1", private},
		{"10.0.0.0", private},
		{"10.255.255.255", private},
		{"172.16.0.1", private},
		{"172.31.255.255", private},
		{"192.168.1.1", private},
		{"100.64.0.0", private},
		{"100.127.255.255", private},
		{"fc00::1", private},
		{"fdff:ffff::1", private},

		{"169.254.169.254", never},
		{"fd00:ec2::254", never},
		{"fd00:ec2::23", never},
		{"fd20:ce::254", never},
		{"100.100.100.200", never},
		{"192.0.0.192", never},
		{"168.63.129.16", never},

		{"0.0.0.0", never},
		{"0.255.255.255", never},
		{"169.254.0.1", never},
		{"192.0.0.1", never},
		{"192.0.2.1", never},
		{"192.88.99.1", never},
		{"198.18.0.0", never},
		{"198.19.255.255", never},
		{"198.51.100.7", never},
		{"203.0.113.7", never},
		{"224.0.0.1", never},
		{"239.255.255.255", never},
		{"240.0.0.1", never},
		{"255.255.255.255", never},

		{"::", never},
		{"::2", never},
		{"::127.0.0.1", never},
		{"::ffff:127.0.0.1", never},
		{"::ffff:8.8.8.8", never},
		{"::ffff:169.254.169.254", never},
		{"64:ff9b::7f00:1", never},
		{"64:ff9b::808:808", never},
		{"64:ff9b:1::1", never},
		{"100::1", never},
		{"2001::1", never},
		{"2001:2::1", never},
		{"2001:db8::1", never},
		{"2002:7f00:1::", never},
		{"3fff::1", never},
		{"5f00::1", never},
		{"fe80::1", never},
		{"fe80::1%eth0", never},
		{"::1%lo", never},
		{"2606:4700::1111%eth0", never},
		{"fec0::1", never},
		{"ff02::1", never},
		{"ff0e::1", never},
	} {
		addr := netip.MustParseAddr(tc.addr)
		for _, isPrivate := range []bool{false, true} {
			err := Allowed(addr, isPrivate)
			want := tc.want == public || tc.want == private && isPrivate
			if (err == nil) != want || err != nil && !errors.Is(err, ErrAddress) {
				t.Errorf("Allowed(%s, %v): got %v, want allowed %v", tc.addr, isPrivate, err, want)
			}
		}
	}
	if err := Allowed(netip.Addr{}, true); !errors.Is(err, ErrAddress) {
		t.Errorf("Allowed of no address: got %v, want ErrAddress", err)
	}
}
