package transport

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/understudy-ai/understudy/provider"
)

// googleToken asks Google for a token of the credentials in key, which is the text of
// a file of them; without one, of the application default credentials: the file that
// the environment or the gcloud tool names, else the machine's metadata service.
func googleToken(ctx context.Context, issuers *http.Client, scope string, key provider.Secret) (provider.Secret, time.Time, error) {
	var none provider.Secret
	text := []byte(key.Reveal())
	if key.IsZero() {
		var err error
		if text, err = defaultCredentials(); err != nil {
			return none, time.Time{}, err
		}
	}
	if text == nil {
		at := "http://" + cmp.Or(os.Getenv("GCE_METADATA_HOST"), metadataName) +
			"/computeMetadata/v1/instance/service-accounts/default/token?" + url.Values{"scopes": {scope}}.Encode()
		return askMetadata(ctx, issuers, at, "Metadata-Flavor", "Google")
	}
	var file struct {
		Type google.CredentialsType `json:"type"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return none, time.Time{}, &CredentialError{Refused: true, Reason: "the file of Google's credentials is not JSON"}
	}
	switch file.Type {
	case google.ServiceAccount, google.AuthorizedUser, google.ExternalAccount, google.ExternalAccountAuthorizedUser, google.ImpersonatedServiceAccount:
	default:
		return none, time.Time{}, &CredentialError{Refused: true, Reason: "the file of Google's credentials has the type " + word(string(file.Type)) + ", want " + string(google.ServiceAccount)}
	}
	asking, client := note(issuers)
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	found, err := google.CredentialsFromJSONWithType(ctx, text, file.Type, scope)
	if err != nil {
		return none, time.Time{}, &CredentialError{Refused: true, Reason: "the file of Google's credentials cannot be used: something is missing in it or malformed"}
	}
	token, err := found.TokenSource.Token()
	if err != nil {
		return none, time.Time{}, asking.explain(err)
	}
	return provider.NewSecret(token.AccessToken), token.Expiry, nil
}

// defaultCredentials reads the file of the application default credentials; nil if
// there is none.
func defaultCredentials() ([]byte, error) {
	path := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	named := path != ""
	if !named {
		folder := filepath.Join(os.Getenv("HOME"), ".config", "gcloud")
		if runtime.GOOS == "windows" {
			folder = filepath.Join(os.Getenv("APPDATA"), "gcloud")
		}
		path = filepath.Join(cmp.Or(os.Getenv("CLOUDSDK_CONFIG"), folder), "application_default_credentials.json")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, &CredentialError{Refused: true, Reason: "the file " + path + " cannot be opened"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return nil, &CredentialError{Refused: true, Reason: "the file " + path + " cannot be read"}
	}
	return text, nil
}
