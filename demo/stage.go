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
	configText        []byte
}

func (s *stage) vendors() []*vendor { return []*vendor{s.openAI, s.anthropic} }

// openStage starts the vendors and writes the config: each model has the other vendor as its
// understudy if standby is true, else none. Close what it returns.
func openStage(firstToken time.Duration, standby bool) (*stage, error) {
	s := &stage{}
	s.openAI, s.anthropic = newVendors()
	if err := s.open(firstToken, standby); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stage) open(firstToken time.Duration, standby bool) error {
	var urls [2]string
	for i, v := range s.vendors() {
		url, err := v.server.Start()
		if err != nil {
			return fmt.Errorf("start vendor %s: %w", v.name, err)
		}
		urls[i] = url
	}
	var err error
	if s.folder, err = os.MkdirTemp("", "understudy-demo-"); err != nil {
		return fmt.Errorf("make folder for the config: %w", err)
	}
	const keyFile = "vendor.key"
	if s.configText, err = configText(urls, keyFile, firstToken, standby); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.folder, keyFile), []byte(vendorKey), 0o600); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := os.WriteFile(s.configPath(), s.configText, 0o600); err != nil {
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

// configText is the config for vendors at urls, in the order of stage.vendors.
func configText(urls [2]string, keyFile string, firstToken time.Duration, standby bool) ([]byte, error) {
	t, err := template.New("config").Parse(configTemplate)
	if err != nil {
		return nil, fmt.Errorf("read config template: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"OpenAI": urls[0], "Anthropic": urls[1], "KeyFile": keyFile, "Patience": firstToken.String(), "Standby": standby,
	})
	if err != nil {
		return nil, fmt.Errorf("write config: %w", err)
	}
	return b.Bytes(), nil
}
