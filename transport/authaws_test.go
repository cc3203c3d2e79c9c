package transport

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/understudy-ai/understudy/provider"
)

const (
	testAccess  = "AKIDCANARY"
	testSecret  = "canary/secret+of/aws0123456789"
	testSession = "canary-session-token//0123456789=="
)

// signed is a provider that is signed for.
func signed() *provider.Provider {
	return &provider.Provider{ID: "cloud", Private: true, Facts: provider.Facts{Auth: provider.AuthAWS, Scope: "bedrock", Region: "eu-central-1"}}
}

// noAWS takes away whatever the machine that runs the test has of AWS.
func noAWS(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", folder)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(folder, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(folder, "credentials"))
	return folder
}

// TestSignedAsReceived sends signed requests and computes their signatures from what
// arrived, as the service does.
func TestSignedAsReceived(t *testing.T) {
	noAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", testAccess)
	t.Setenv("AWS_SECRET_ACCESS_KEY", testSecret)
	var problem string
	at := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		problem = checkSignature(r, body, testSecret)
		if token := r.Header.Get("X-Amz-Security-Token"); problem == "" && token != os.Getenv("AWS_SESSION_TOKEN") {
			problem = "session token " + token
		}
	})
	for _, session := range []string{"", testSession} {
		t.Setenv("AWS_SESSION_TOKEN", session)
		tr := newTransport(t, Options{})
		for _, tc := range []struct{ name, path, body string }{
			{"a plain path", "/converse", "{}"},
			{"a version", "/model/anthropic.claude-sonnet-5-v1%3A0/converse", `{"messages":[]}`},
			{"a version, not escaped", "/model/anthropic.claude-sonnet-5-v1:0/converse", "{}"},
			{"an ARN", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.anthropic.claude/invoke", "{}"},
			{"odd characters", "/model/a%20b%25c%C3%A9~_-./converse-stream", "{}"},
			{"a query", "/openai?b=2&a=1&a=0&empty=&odd=%2F%20", "{}"},
			{"a large body", "/converse", strings.Repeat("é", 1<<16)},
		} {
			problem = "nothing arrived"
			resp, _, err := send(t, tr, Request{Provider: signed(), URL: at + tc.path, Body: []byte(tc.body), Stream: true})
			if err != nil || problem != "" {
				t.Errorf("%s: got %v and %s, want the signature of what arrived", tc.name, err, problem)
			} else if resp.Shown.Reveal() != session {
				t.Errorf("%s: got another secret shown than the session's token", tc.name)
			}
		}
	}
}

// TestSignedHost leaves out the port that goes without saying, from the signature and
// from the request.
func TestSignedHost(t *testing.T) {
	for given, want := range map[string]string{"h.example:443": "h.example", "h.example:8443": "h.example:8443", "h.example": "h.example"} {
		req, err := http.NewRequest(http.MethodPost, "https://"+given+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		s := signer{keys: aws.Credentials{AccessKeyID: testAccess, SecretAccessKey: testSecret}, service: "bedrock", region: "eu-central-1", by: v4.NewSigner()}
		if err := s.sign(req, nil, time.Now()); err != nil || req.Host != want {
			t.Errorf("%s: got host %s, %v, want %s", given, req.Host, err, want)
		}
		req.RequestURI = "/"
		if problem := checkSignature(req, nil, testSecret); problem != "" {
			t.Errorf("%s: got %s, want the signature of what is sent", given, problem)
		}
	}
}

// checkSignature says what is wrong with a request's signature; nothing if it is good.
func checkSignature(r *http.Request, body []byte, secret string) string {
	var access, scope, names, got string
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return "no signature in " + r.Header.Get("Authorization")
	}
	for part := range strings.SplitSeq(auth, ", ") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "Credential":
			access, scope, _ = strings.Cut(value, "/")
		case "SignedHeaders":
			names = value
		case "Signature":
			got = value
		}
	}
	if access != testAccess {
		return "access key " + access
	}
	if !strings.HasSuffix(scope, "/eu-central-1/bedrock/aws4_request") {
		return "scope " + scope
	}
	date := r.Header.Get("X-Amz-Date")
	if at, err := time.Parse("20060102T150405Z", date); err != nil || time.Since(at).Abs() > 5*time.Minute {
		return "date " + date
	}
	var headers strings.Builder
	for name := range strings.SplitSeq(names, ";") {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(strings.Split(names, ";"), lower) {
			return "not signed: " + name
		}
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	canonical := strings.Join([]string{r.Method, encode(path, "/"), canonicalQuery(r.URL.Query()), headers.String(), names, hexSum(body)}, "\n")
	toSign := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hexSum([]byte(canonical))
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	if want := hex.EncodeToString(mac(key, toSign)); got != want {
		return "signature of another request than\n" + canonical
	}
	return ""
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, encode(name, "")+"="+encode(value, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// encode escapes everything but what is not reserved, and what is in except.
func encode(s, except string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+except, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, text)
	return h.Sum(nil)
}

// TestSuite signs the requests of the public test suite that have no headers beside
// those that are signed here, and no path that only other services rewrite or that Go
// would escape before it is sent.
func TestSuite(t *testing.T) {
	data, err := os.ReadFile("../../shared/specs/bedrock/sigv4-testsuite.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the test suite is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Credentials struct {
			Access string `json:"access_key"`
			Secret string `json:"secret_key"`
		}
		Region, Service, Date string
		Cases                 map[string]struct {
			Request, Authorization string
			Signed                 string `json:"signed_request"`
		}
	}
	if err := json.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	date, err := time.Parse("20060102T150405Z", suite.Date)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for name, tc := range suite.Cases {
		head, body, _ := strings.Cut(tc.Request, "\n\n")
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n")))
		if err != nil || strings.HasPrefix(name, "normalize-path") || name == "get-utf8" {
			continue
		}
		covered := true
		for header := range req.Header {
			covered = covered && (strings.HasPrefix(header, "X-Amz-") || header == "Content-Type")
		}
		if !covered {
			continue
		}
		ran++
		req.URL.Host = req.Host
		keys := aws.Credentials{AccessKeyID: suite.Credentials.Access, SecretAccessKey: suite.Credentials.Secret}
		if _, token, ok := strings.Cut(tc.Signed, "X-Amz-Security-Token:"); ok && strings.Contains(tc.Authorization, "x-amz-security-token") {
			keys.SessionToken, _, _ = strings.Cut(strings.TrimSpace(token), "\n")
		}
		s := signer{keys: keys, service: suite.Service, region: suite.Region, by: v4.NewSigner()}
		if err := s.sign(req, []byte(body), date); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := req.Header.Get("Authorization"); got != tc.Authorization {
			t.Errorf("%s:\n got %s\nwant %s", name, got, tc.Authorization)
		}
	}
	t.Logf("%d of %d cases", ran, len(suite.Cases))
	if ran < 15 {
		t.Errorf("got %d cases, want most of the %d", ran, len(suite.Cases))
	}
}

// TestAWSCredentials finds credentials in each place, some of them by way of services
// that are ours.
func TestAWSCredentials(t *testing.T) {
	const answer = `{"AccessKeyId":"` + testAccess + `","SecretAccessKey":"` + testSecret + `","Token":"` + testSession + `","Expiration":"2099-01-01T00:00:00Z","Code":"Success"}`
	issuer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/container":
			io.WriteString(w, answer)
		case path == "/latest/api/token":
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			io.WriteString(w, "metadata-token")
		case path == "/latest/meta-data/iam/security-credentials/":
			io.WriteString(w, "role")
		case path == "/latest/meta-data/iam/security-credentials/role":
			io.WriteString(w, answer)
		case path == "/" && r.Method == http.MethodPost: // the token service
			if r.ParseForm() != nil || r.Form.Get("Action") != "AssumeRoleWithWebIdentity" || r.Form.Get("WebIdentityToken") != "platform-token" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
				`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`+
				`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, testAccess, testSecret, testSession)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, checkSignature(r, body, testSecret))
	})
	keys := "aws_access_key_id = " + testAccess + "\naws_secret_access_key = " + testSecret + "\n"
	for _, tc := range []struct {
		name  string
		env   map[string]string
		files map[string]string
	}{
		{"environment", map[string]string{"AWS_ACCESS_KEY_ID": testAccess, "AWS_SECRET_ACCESS_KEY": testSecret}, nil},
		{"shared file", nil, map[string]string{"credentials": "[default]\n" + keys}},
		{"profile", map[string]string{"AWS_PROFILE": "other"}, map[string]string{"credentials": "[default]\naws_access_key_id = x\naws_secret_access_key = y\n[other]\n" + keys}},
		{"process", nil, map[string]string{
			"config":    "[default]\ncredential_process = cat keys.json\n",
			"keys.json": `{"Version":1,"AccessKeyId":"` + testAccess + `","SecretAccessKey":"` + testSecret + `"}`,
		}},
		{"container", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": issuer + "/container"}, nil},
		{"web identity", map[string]string{
			"AWS_WEB_IDENTITY_TOKEN_FILE": "token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_ENDPOINT_URL_STS": issuer,
		}, map[string]string{"token": "platform-token"}},
		{"machine", map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": issuer}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(noAWS(t))
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			for name, text := range tc.files {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, got, err := send(t, newTransport(t, Options{}), Request{Provider: signed(), URL: at + "/model/m/converse", Connect: patience})
			if err != nil || got != "" {
				t.Errorf("got %v and %s, want a good signature", err, got)
			}
		})
	}
}

// TestNoAWSCredentials fails in the ways there are, and says why without a secret.
func TestNoAWSCredentials(t *testing.T) {
	refusing := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>canary</Message></Error></ErrorResponse>`)
	})
	gone := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, tc := range []struct {
		name    string
		env     map[string]string
		files   map[string]string
		refused bool
		want    string
	}{
		{"process", nil, map[string]string{"config": "[default]\ncredential_process = echo canary\n"}, true, "the profile's credential_process gave no credentials"},
		{"profile", map[string]string{"AWS_PROFILE": "other"}, nil, true, "there is no profile \"other\" in AWS's shared files"},
		{"web identity", map[string]string{
			"AWS_WEB_IDENTITY_TOKEN_FILE": "token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_ENDPOINT_URL_STS": refusing,
		}, map[string]string{"token": "canary"}, true, "STS AssumeRoleWithWebIdentity: refused as AccessDenied"},
		{"container", map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": gone, "AWS_MAX_ATTEMPTS": "1"}, nil, false, "no answer from "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(noAWS(t))
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			for name, text := range tc.files {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := send(t, newTransport(t, Options{}), Request{Provider: signed(), URL: "http://127.0.0.1:1", Connect: patience})
			checkNoCredential(t, err, tc.refused, tc.want)
		})
	}
}

// checkNoCredential holds an error against what it must say.
func checkNoCredential(t *testing.T, err error, refused bool, want string) {
	t.Helper()
	var sending *SendError
	var credential *CredentialError
	if !errors.As(err, &sending) || sending.Phase != PhaseCredential || !errors.As(err, &credential) {
		t.Fatalf("got %v, want an error of the credential", err)
	}
	if credential.Refused != refused || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v, refused %v, want %v, %q and no secret", err, credential.Refused, refused, want)
	}
}
