package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// completeAccess says who may call where the file does not, and where relative paths begin.
func (c *Config) completeAccess(folder string) {
	if _, given := c.at["access.anonymous"]; !given {
		c.Access.Anonymous = c.isLocal() && len(c.Access.Keys) == 0
	}
	c.Access.Secret.under(folder)
	for i := range c.Access.Keys {
		c.Access.Keys[i].Key.under(folder)
	}
	for i := range c.Access.Administrators {
		c.Access.Administrators[i].Token.under(folder)
	}
}

// under makes a relative path begin at a folder.
func (k *Key) under(folder string) {
	if k.File != "" && !filepath.IsAbs(k.File) {
		k.File = filepath.Join(folder, k.File)
	}
}

// isLocal reports whether every listener is reached from this machine only.
func (c *Config) isLocal() bool { return isLocal(c.Listen) && isLocal(c.Admin) }

// IsAdminLocal reports whether the admin listener is reached from this machine only.
func (c *Config) IsAdminLocal() bool { return isLocal(c.Admin) }

func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return err == nil
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (k *checker) access() {
	c := k.config
	if c.Access.Anonymous && !c.isLocal() && !k.failed["listen"] && !k.failed["admin"] {
		k.bad("access.anonymous", "leave it out, and make keys with: understudy keys create",
			"access.anonymous: got true and a listener that other machines reach, want clients to have keys there, or both listeners on loopback addresses")
	}
	k.reference("access.secret", c.Access.Secret, false)
	if _, given := c.at["store"]; given && !c.Access.Anonymous && c.Access.Secret == (Key{}) {
		k.bad("access.secret", "make one with openssl rand -hex 32, and write access: {secret: env:NAME}",
			"access.secret: got none and a store, want one that all gateways of the store have")
	}
	names := make([]string, len(c.Access.Teams))
	for i, t := range c.Access.Teams {
		names[i] = t.Name
		path := "access.teams." + t.Name
		if !isProviderName(t.Name) {
			k.bad(path, "", "got team name %s, want up to 64 letters, digits, dots, dashes or underscores", quote(t.Name))
		}
	}
	for i := range c.Access.Keys {
		key := &c.Access.Keys[i]
		path := "access.keys." + key.ID
		if !isProviderName(key.ID) {
			k.bad(path, "", "got key id %s, want up to 64 letters, digits, dots, dashes or underscores", quote(key.ID))
			continue
		}
		if key.ID == "anonymous" {
			k.bad(path, "", "got key id anonymous, which is that of whoever has no key: want another one")
		}
		k.reference(path+".key", key.Key, true)
		if len(key.Models) == 0 {
			k.bad(path+".models", "", "%s.models: got none, want those that it may ask for, or [\"*\"] for all", path)
		}
		if key.Team != "" && len(names) > 0 && !slices.Contains(names, key.Team) {
			k.bad(path+".team", didYouMean(key.Team, names), "%s.team: got %s, want one of access.teams: %s", path, quote(key.Team), strings.Join(names, ", "))
		}
		for _, l := range []struct {
			name  string
			limit int
		}{{"requests_per_minute", key.Limits.RequestsPerMinute}, {"tokens_per_minute", key.Limits.TokensPerMinute}, {"concurrent", key.Limits.Concurrent}} {
			if l.limit < 0 {
				k.bad(path+".limits."+l.name, "", "%s.limits.%s: got %d, want 0, which is no limit, or more", path, l.name, l.limit)
			}
		}
	}
}

func (k *checker) administrators() {
	roles := []string{"viewer", "operator", "admin"}
	for _, a := range k.config.Access.Administrators {
		path := "access.administrators." + a.Name
		if !isProviderName(a.Name) {
			k.bad(path, "", "got administrator's name %s, want up to 64 letters, digits, dots, dashes or underscores", quote(a.Name))
			continue
		}
		k.reference(path+".token", a.Token, true)
		if !slices.Contains(roles, a.Role) {
			k.bad(path+".role", didYouMean(a.Role, roles), "%s.role: got %s, want one of %s", path, quote(a.Role), strings.Join(roles, ", "))
		}
	}
}

// reference holds what says where a secret is to naming a place. Commands are for keys of providers alone.
func (k *checker) reference(path string, key Key, wanted bool) {
	if key.Command != "" {
		k.bad(path, "", "%s: got a command, want env:NAME or file:/path: commands are for keys of providers", path)
	}
	if key.None || wanted && key == (Key{}) {
		k.bad(path, "", "%s: got none, want env:NAME or file:/path", path)
	}
}
