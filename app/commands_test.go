package app

import (
	"slices"
	"testing"
)

// TestCommandEnv: a command is shown what it may need, and nothing that others keep secret.
func TestCommandEnv(t *testing.T) {
	t.Parallel()
	c := parse(t, `
redis: env:COUNTS_URL
providers:
  openai: {key: {command: [op]}}
  groq: {keys: [{key: env:FIRST}, {key: env:SECOND}]}
  mine: {base_url: "http://127.0.0.1:1", auth: bearer, key: none, key_env: MINE_KEY, dialects: {openai-chat: /chat}}
access:
  secret: env:HASH
  keys: {web: {models: ["*"], key: env:WEB}}
  administrators: {ada: {role: viewer, token: env:ADA}}
`, nil)
	c.Store = "env:BOOKS_URL"
	kept := []string{
		"PATH=/bin", "HOME=/home/op", "VAULT_TOKEN=a", "OP_SERVICE_ACCOUNT_TOKEN=b", "AWS_SECRET_ACCESS_KEY=c", "HTTPS_PROXY=http://proxy", "FIRST_OF_ALL=1", "EMPTY=", "PGHOST=db",
	}
	hidden := []string{
		"FIRST=canary", "SECOND=canary", "HASH=canary", "WEB=canary", "ADA=canary", "BOOKS_URL=canary", "COUNTS_URL=canary", "MINE_KEY=canary",
		"OPENAI_API_KEY=canary", "ANTHROPIC_API_KEY=canary", "GROQ_API_KEY=canary", "groq_api_key=canary", "AWS_BEARER_TOKEN_BEDROCK=canary",
		"UNDERSTUDY_ADMIN_TOKEN=canary", "Understudy_Other=canary", "PGPASSWORD=canary", "PGSSLPASSWORD=canary", "OTEL_EXPORTER_OTLP_HEADERS=canary",
		"LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_FDNAMES=canary",
	}
	all := append(slices.Clone(hidden), kept...)
	if got := commandEnv(c, all); !slices.Equal(got, kept) {
		t.Errorf("got %q, want %q", got, kept)
	}
	if len(all) != len(hidden)+len(kept) || all[0] != hidden[0] {
		t.Error("got the environment itself changed, want it left as it is")
	}
}
