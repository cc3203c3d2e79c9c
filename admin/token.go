package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// tokenPrefix tells people and scanners of leaked secrets what it is.
const tokenPrefix = "us-admin-"

// Token is what is kept of the admin token: enough to know it by, not enough to show.
// The zero Token is nobody's.
type Token struct {
	hash  [sha256.Size]byte
	isSet bool
}

// newToken makes a token of 256 random bits. text is to be shown once; nothing else
// keeps it.
func newToken() (t Token, text string) {
	text = tokenPrefix + strings.ToLower(rand.Text()+rand.Text()) // 130 bits each
	return tokenOf(text), text
}

// tokenOf sums a token up. A plain hash will do: nobody can guess what has so many bits.
func tokenOf(text string) Token { return Token{sha256.Sum256([]byte(text)), true} }

// matches reports, in a time that does not depend on how much of it is right, whether text
// is the token.
func (t Token) matches(text string) bool {
	given := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1 && t.isSet
}

// tokenFile is what the data folder holds of the token.
type tokenFile struct {
	SHA256 string `json:"sha256"`
}

// tokenName is the file's name in the data folder.
const tokenName = "admin-token.json"

// Files is the data folder. A file that is not there gives fs.ErrNotExist.
type Files interface {
	Read(name string) ([]byte, error)
	// Write replaces a file whole, or leaves it as it was.
	Write(name string, content []byte) error
	Remove(name string) error
}

// DropToken takes back a token that OpenToken has made and that was not shown.
func DropToken(files Files) error {
	if err := files.Remove(tokenName); err != nil {
		return fmt.Errorf("take back the admin token: %w", err)
	}
	return nil
}

// OpenToken reads the token's hash from the data folder. Where there is none, a token is
// made, and made is its text, to be shown this once.
func OpenToken(files Files) (t Token, made string, err error) {
	content, err := files.Read(tokenName)
	if errors.Is(err, fs.ErrNotExist) {
		t, made = newToken()
		content, err = json.Marshal(tokenFile{hex.EncodeToString(t.hash[:])})
		if err == nil {
			err = files.Write(tokenName, append(content, '\n'))
		}
		if err != nil {
			return Token{}, "", fmt.Errorf("keep the admin token: %w", err)
		}
		return t, made, nil
	}
	var kept tokenFile
	if err == nil {
		err = json.Unmarshal(content, &kept)
	}
	if err != nil {
		return Token{}, "", fmt.Errorf("read the admin token's hash: %w\nhint: without the file %s in the data folder the next start makes a new token", err, tokenName)
	}
	hash, err := hex.DecodeString(kept.SHA256)
	if err != nil || len(hash) != sha256.Size {
		return Token{}, "", fmt.Errorf("read the admin token's hash: got none in %s, want one\nhint: without that file in the data folder the next start makes a new token", tokenName)
	}
	t.isSet = copy(t.hash[:], hash) == sha256.Size
	return t, "", nil
}
