package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/understudy-ai/understudy/admin/client"
	"github.com/understudy-ai/understudy/app"
)

// tokenEnv is the variable that holds the admin token.
const tokenEnv = "UNDERSTUDY_ADMIN_TOKEN"

// lostToken says where the token is from.
const lostToken = "hint: serve shows it when it makes it, or puts it into admin-token.txt in the data folder, and understudy admins add makes more; if it is lost, remove admin-token.json from the data folder and start the gateway again"

// gatewayFlags say which running gateway is asked, and show it who asks.
type gatewayFlags struct {
	configFlag
	Admin     string `help:"The address of the gateway's admin listener; the config's if not given." placeholder:"HOST:PORT"`
	TokenFile string `help:"A file with the admin token, instead of the variable UNDERSTUDY_ADMIN_TOKEN." placeholder:"FILE"`
}

// operatorFlags are those of commands that ask a running gateway.
type operatorFlags struct {
	gatewayFlags
	JSON bool `help:"Write JSON."`
}

// maxToken bounds a token file.
const maxToken = 4 << 10

// client returns a client of the gateway. Close it.
func (f gatewayFlags) client() (*client.Client, error) {
	address := strings.TrimSuffix(strings.TrimPrefix(f.Admin, "http://"), "/") // as check prints it
	if address == "" {
		conf, err := app.Load(f.path(), nil)
		if err != nil {
			return nil, err
		}
		address = conf.Admin
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError{fmt.Sprintf("--admin: got %q, want HOST:PORT, such as 127.0.0.1:8081", f.Admin)}
	}
	if strings.HasSuffix(address, ":0") {
		return nil, usageError{"the config's admin address is " + address + ", which is another at each start: say which with --admin\nhint: the gateway's log has it, as admin of the line \"serving\""}
	}
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	return client.New(address, token), nil
}

func (f gatewayFlags) token() (string, error) {
	if f.TokenFile == "" {
		token := strings.TrimSpace(os.Getenv(tokenEnv))
		if token == "" {
			return "", usageError{"got no admin token, want it in " + tokenEnv + " or in a --token-file\n" + lostToken}
		}
		return token, nil
	}
	file, err := os.Open(f.TokenFile)
	if err != nil {
		return "", fmt.Errorf("open the token file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxToken))
	if err != nil {
		return "", fmt.Errorf("read the token file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the token file " + f.TokenFile + " holds something else than a token")
	}
	return token, nil
}
