package demo

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

// The models that the applications ask for.
const (
	modelAssistant = "assistant" // led by the vendor of OpenAI's API
	modelWriter    = "writer"    // led by the vendor of Anthropic's API
)

const (
	clientKey    = "unused" // the demo's gateway lets everybody call
	systemPrompt = "You are an understudy. Say your line."
)

//go:embed understudy.yaml.tmpl
var configTemplate string

// stage is the simulated vendors and the folder with the config that names them.
type stage struct {
	openAI, anthropic *vendor
	folder            string
	urls              [2]string // of the vendors
	standby           bool
	limit             time.Duration // of the gateway's patience with a vendor
	configText        []byte
}

func (s *stage) vendors() []*vendor { return []*vendor{s.openAI, s.anthropic} }

// openStage starts the vendors and makes the folder for the config. Each model has the other vendor
// as its understudy if standby is true, else none. Close what it returns.
func openStage(standby bool) (*stage, error) {
	s := &stage{standby: standby}
	s.openAI, s.anthropic = newVendors()
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// keyFile is beside the config.
const keyFile = "vendor.key"

func (s *stage) open() error {
	var err error
	for i, v := range s.vendors() {
		if s.urls[i], err = v.server.Start(); err != nil {
			return fmt.Errorf("start vendor %s: %w", v.name, err)
		}
	}
	if s.folder, err = os.MkdirTemp("", "understudy-demo-"); err != nil {
		return fmt.Errorf("make folder for the config: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.folder, keyFile), []byte(vendorKey), 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// writeConfig writes the config of a gateway that waits so long for a silent vendor.
func (s *stage) writeConfig(limit time.Duration) error {
	s.limit = limit
	t, err := template.New("config").Parse(configTemplate)
	if err != nil {
		return fmt.Errorf("read config template: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"OpenAI": s.urls[0], "Anthropic": s.urls[1], "KeyFile": keyFile, "Limit": limit, "Standby": s.standby,
	})
	if err == nil {
		s.configText = b.Bytes()
		err = os.WriteFile(s.configPath(), s.configText, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

func (s *stage) configPath() string { return filepath.Join(s.folder, "understudy.yaml") }

// close stops the vendors and removes the folder.
func (s *stage) close() error {
	for _, v := range s.vendors() {
		v.server.Close()
	}
	if s.folder == "" {
		return nil
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("remove folder of the config: %w", err)
	}
	return nil
}
