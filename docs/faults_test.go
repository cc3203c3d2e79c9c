package docs_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// testsOfFaults are the tests of those rows of the list of faults that are no simulated vendor's to do: it
// does all others, through TestFaultCatalogue. They are about the binary, but for V. Those are minutes of traffic at
// hundreds of calls a second: the gateway's tests play them shortened, or by a clock of their own, which no binary has, and
// make scenarios at full length.
var testsOfFaults = map[string]string{
	"A1": "TestFaultsOfConnections", "A2": "TestNetworkNames", "A3": "TestNetworkNames", "A4": "TestFaultsOfConnections", "A5": "TestNetworkBlackHoles", "A6": "TestFaultsOfConnections",
	"A7": "TestFaultsOfConnections", "A9": "TestFewDescriptors", "A10": "TestFaultsOfConnections", "A13": "TestNetworkBlackHoles", "B4": "TestFaultsOfDialects",
	"D23": "TestTinyEvents", "D32": "TestFaultsOfDialects", "H1": "TestFaultsOfConnections", "H2": "TestFaultsOfConnections", "H3": "TestFaultsOfConnections",
	"H4": "TestFaultsOfConnections", "H5": "TestFaultsOfConnections", "H6": "TestFaultsOfConnections", "H7": "TestFaultsOfConnections", "H8": "TestConnectionDiesUnderItsStreams", "H9": "TestOneStreamAtATime", "G1": "TestFaultCatalogue",
	"G2": "TestFaultsOfClients", "G3": "TestFaultsOfClients", "G4": "TestFaultsOfClients", "G5": "TestNetworkVanishedClients",
	"G6": "TestSlowReaders", "G7": "TestFaultsOfClients", "G8": "TestFaultsOfClients", "G9": "TestPanics", "G10": "TestFaultsOfClients",
	"V1": "TestScenarios", "V2": "TestScenarios", "V3": "TestScenariosByTheClock", "V4": "TestScenarios", "V5": "TestScenariosByTheClock",
	"V6": "TestScenariosByTheClock", "V7": "TestScenarios", "V8": "TestScenarios", "V9": "TestScenarios", "V10": "TestScenarios",
}

// TestFaultsHaveTests holds that every row of the list of faults is played by a simulated vendor, or has a test
// that exists where it belongs, or its reason in the decision note why it has none.
func TestFaultsHaveTests(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("../../shared/cases/faults.md")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the list of faults is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	note, err := os.ReadFile("decisions/0033-leave-floods-and-repeats.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{} // by the folder and the name
	for _, folder := range []string{"gateway", "e2e"} {
		files, _ := filepath.Glob("../" + folder + "/*_test.go")
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				tests[folder+" "+string(m[1])] = true
			}
		}
	}
	rows := regexp.MustCompile(`(?m)^\| ([A-DGHV]\d+) \|`).FindAllSubmatch(list, -1)
	if len(rows) < 120 {
		t.Fatalf("got %d rows in the list, want all of them", len(rows))
	}
	for _, m := range rows {
		row := string(m[1])
		played := slices.ContainsFunc(fakeprovider.Faults(), func(f fakeprovider.Info) bool { return !f.ServerWide && slices.Contains(f.Rows, row) })
		test, folder := testsOfFaults[row], "e2e"
		if row[0] == 'V' {
			folder = "gateway"
		}
		switch excused := strings.Contains(string(note), "`"+row+"`"); {
		case test != "" && !tests[folder+" "+test]:
			t.Errorf("%s: got no test %s in %s", row, test, folder)
		case !played && test == "" && !excused:
			t.Errorf("%s: got no simulated fault, no test and no reason", row)
		case excused && (played || test != ""):
			t.Errorf("%s: got a reason why it has no test, and a test", row)
		}
	}
}
