package provider

import (
	"net/url"
	"regexp"
	"strings"
)

// The ways in which a service is shown who asks: what Facts.Auth can be.
const (
	AuthBearer   = "bearer"         // the key, in Authorization: Bearer
	AuthXAPIKey  = "x-api-key"      // the key, in the header of that name
	AuthXGoogKey = "x-goog-api-key" // likewise
	AuthAPIKey   = "api-key"        // likewise
	AuthAWS      = "aws"            // a signature, made with the credentials that AWS SDKs find; a key as bearer
	AuthEntra    = "entra"          // a token of Microsoft Entra ID, for the identity in the environment
	AuthGoogle   = "google"         // a token of Google's, for a credentials file or the environment's
	AuthNone     = "none"           // nothing
)

// Auths lists the ways to authenticate.
func Auths() []string {
	return []string{AuthBearer, AuthXAPIKey, AuthXGoogKey, AuthAPIKey, AuthAWS, AuthEntra, AuthGoogle, AuthNone}
}

// KeyUse is what becomes of a provider's key.
type KeyUse uint8

// The uses of a key.
const (
	KeyShown    KeyUse = iota // the service is shown the key itself
	KeyOptional               // the same; without one, the environment's credentials are used
	KeyFile                   // it is a file of credentials, not shown; without one, likewise
	KeyUnused                 // there is none
)

// KeyUseOf says what becomes of the key of a provider that authenticates in this way.
func KeyUseOf(auth string) KeyUse {
	switch auth {
	case AuthAWS:
		return KeyOptional
	case AuthGoogle:
		return KeyFile
	case AuthEntra, AuthNone:
		return KeyUnused
	default:
		return KeyShown
	}
}

var (
	hole = regexp.MustCompile(`\{([a-z]+)\}`)
	// region is one of AWS's, as it stands in the names of its hosts.
	region = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)?-(central|((north|south)?(east|west)?))-[0-9]{1,2}$`)
)

// Complete fills the holes of BaseURL and ModelsPath that Region and Project are for. Of
// a service that is signed for, the region in its address is the one that counts.
func (f *Facts) Complete() {
	f.BaseURL, f.ModelsPath = f.fill(f.BaseURL), f.fill(f.ModelsPath)
	if f.Auth != AuthAWS {
		return
	}
	if u, err := url.Parse(f.BaseURL); err == nil {
		for label := range strings.SplitSeq(u.Hostname(), ".") {
			if region.MatchString(label) {
				f.Region = label
			}
		}
	}
}

// fill fills holes, as far as there is something good to fill them with.
func (f *Facts) fill(text string) string {
	if regionName.MatchString(f.Region) {
		text = strings.ReplaceAll(text, "{region}", f.Region)
	}
	if projectName.MatchString(f.Project) {
		text = strings.ReplaceAll(text, "{project}", f.Project)
	}
	return text
}

// ModelsURL is where the service lists its models; empty if it does not.
func (f *Facts) ModelsURL() string {
	if f.ModelsPath == "" || isAddress(f.ModelsPath) {
		return f.ModelsPath
	}
	return joinURL(f.BaseURL, f.ModelsPath)
}

// isAddress reports whether a path is a whole address.
func isAddress(path string) bool { return strings.HasPrefix(path, "https://") }

// IsOwn reports whether everybody has an address of their own at the service, and models
// of their own there.
func (f *Facts) IsOwn() bool {
	name := f.Hole()
	return name != "" && name != "region" && name != "project"
}

// Hole names what BaseURL leaves open; empty if it is an address.
func (f *Facts) Hole() string {
	if found := hole.FindStringSubmatch(f.BaseURL); found != nil {
		return found[1]
	}
	return ""
}
