package transport

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/understudy-ai/understudy/provider"
)

// maxToken bounds a token's file and a metadata service's answer.
const maxToken = 64 << 10

// entraToken asks Microsoft Entra ID for a token of the identity that the environment
// names, by the variables that Microsoft's own libraries read: an application with a
// secret, or with a token of the platform it runs on (workload identity); else of the
// identity that the platform gives to the machine (managed identity).
func entraToken(ctx context.Context, issuers *http.Client, scope string) (provider.Secret, time.Time, error) {
	tenant, client := os.Getenv("AZURE_TENANT_ID"), os.Getenv("AZURE_CLIENT_ID")
	secret, file := os.Getenv("AZURE_CLIENT_SECRET"), os.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	if tenant == "" || client == "" || secret == "" && file == "" {
		return managedIdentity(ctx, issuers, strings.TrimSuffix(scope, "/.default"), client)
	}
	authority := strings.TrimRight(cmp.Or(os.Getenv("AZURE_AUTHORITY_HOST"), "https://login.microsoftonline.com"), "/")
	ask := clientcredentials.Config{
		ClientID: client, ClientSecret: secret, Scopes: []string{scope}, AuthStyle: oauth2.AuthStyleInParams,
		TokenURL: authority + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token",
	}
	if secret == "" {
		assertion, err := readToken(file)
		if err != nil {
			return provider.Secret{}, time.Time{}, err
		}
		ask.EndpointParams = url.Values{
			"client_assertion":      {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
	}
	asking, noting := note(issuers)
	token, err := ask.Token(context.WithValue(ctx, oauth2.HTTPClient, noting))
	if err != nil {
		return provider.Secret{}, time.Time{}, asking.explain(err)
	}
	return provider.NewSecret(token.AccessToken), token.Expiry, nil
}

// readToken reads the platform's token, which is replaced every now and then.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &CredentialError{Refused: true, Reason: "the file of AZURE_FEDERATED_TOKEN_FILE cannot be opened"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", &CredentialError{Refused: true, Reason: "the file of AZURE_FEDERATED_TOKEN_FILE cannot be read"}
	}
	return strings.TrimSpace(string(text)), nil
}

// managedIdentity asks the platform: App Service and Container Apps say where, virtual
// machines have a metadata service. client chooses among identities.
func managedIdentity(ctx context.Context, issuers *http.Client, resource, client string) (provider.Secret, time.Time, error) {
	query := url.Values{"resource": {resource}}
	if client != "" {
		query.Set("client_id", client)
	}
	if at := os.Getenv("IDENTITY_ENDPOINT"); at != "" {
		query.Set("api-version", "2019-08-01")
		return askMetadata(ctx, issuers, at+"?"+query.Encode(), "X-Identity-Header", os.Getenv("IDENTITY_HEADER"))
	}
	query.Set("api-version", "2018-02-01")
	return askMetadata(ctx, issuers, "http://169.254.169.254/metadata/identity/oauth2/token?"+query.Encode(), "Metadata", "true")
}

// askMetadata asks the platform's own service for a token. The header shows that the
// request is no accident.
func askMetadata(ctx context.Context, issuers *http.Client, address, header, value string) (provider.Secret, time.Time, error) {
	var none provider.Secret
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return none, time.Time{}, &CredentialError{Refused: true, Reason: "the address of the platform's identity service is no URL"}
	}
	req.Header.Set(header, value)
	asked := time.Now()
	resp, err := issuers.Do(req)
	if err != nil {
		return none, time.Time{}, &CredentialError{Reason: "the platform has no identity service, and the environment names no identity: " + unreachable(err)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if resp.StatusCode != http.StatusOK || err != nil {
		return none, time.Time{}, &CredentialError{
			Refused: isRefusal(resp.StatusCode),
			Reason:  "the platform's identity service answered HTTP " + strconv.Itoa(resp.StatusCode),
		}
	}
	var answer struct {
		Token  string      `json:"access_token"`
		Within json.Number `json:"expires_in"` // seconds; some say it as text
		At     json.Number `json:"expires_on"` // seconds since 1970
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Token == "" {
		return none, time.Time{}, &CredentialError{Reason: "the platform's identity service answered something else than a token"}
	}
	ends := time.Time{}
	if n, err := answer.Within.Int64(); err == nil {
		ends = asked.Add(time.Duration(n) * time.Second)
	} else if n, err := answer.At.Int64(); err == nil {
		ends = time.Unix(n, 0)
	}
	return provider.NewSecret(answer.Token), ends, nil
}
