// Executes templates with Go's own text/template and says what they give.
//
//	cd crates/gotemplate/tests/golden && go run main.go
//
// executes the cases of cases.txt and random.json and writes expected.json again. A case of cases.txt
// is a line: a template, with \n for line feeds. Lines that begin with # are comments, a line
// "#! missingkey=error" sets the option for the cases after it. The cases of random.json were made by
// putting pieces of templates together at random, and by changing the cases of cases.txt at random.
//
//	go run main.go -lines [missingkey=error]
//
// reads templates as JSON strings, one a line, from its input and writes a result a line, for comparing
// many random ones.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type result struct {
	Option   string `json:"option,omitempty"`
	Template string `json:"template"`
	Output   string `json:"output,omitempty"`
	Error    string `json:"error,omitempty"`
}

// Values is a named map, as Helm's common.Values.
type Values map[string]interface{}

// Set is a named slice with a method, as Helm's VersionSet.
type Set []string

// Has is a method with a typed parameter.
func (s Set) Has(name string) bool {
	for _, each := range s {
		if each == name {
			return true
		}
	}
	return false
}

// Version is a struct with a String method on its pointer, as Helm's KubeVersion.
type Version struct {
	Version string
	Major   string
	Minor   int
}

// String is what printing gives.
func (v *Version) String() string { return v.Version }

// Refuse gives an error.
func (v *Version) Refuse(why string) (string, error) { return "", errors.New("refused: " + why) }

// Add has two parameters.
func (v *Version) Add(a int, b interface{}) string { return fmt.Sprint(a, b) }

func typed() map[string]interface{} {
	return map[string]interface{}{
		"int": 7, "int64": int64(8), "uint64": uint64(9),
		"strings": []string{"p", "q"}, "ints": []int{3, 4}, "bytes": []byte("hey"),
		"labels":  map[string]string{"a": "b", "empty": ""},
		"named":   Values{"x": 1, "y": map[string]interface{}{"z": "deep"}},
		"set":     Set{"v1", "apps/v1"},
		"version": &Version{"v1.36.0", "1", 36},
	}
}

var functions = template.FuncMap{
	"upper":   strings.ToUpper,
	"add":     func(a, b int) int { return a + b },
	"list":    func(v ...interface{}) []interface{} { return v },
	"dict":    func(k string, v interface{}) map[string]interface{} { return map[string]interface{}{k: v} },
	"int64":   func(v int) int64 { return int64(v) },
	"nothing": func() interface{} { return nil },
	"half":    func(v float64) float64 { return v / 2 },
	"yes":     func(v bool) string { return fmt.Sprint(v) },
	"first":   func(v []interface{}) interface{} { return v[0] },
	"joined":  func(separator string, v ...string) string { return strings.Join(v, separator) },
	"long":    func(v int64) int64 { return v },
	"refuse":  func(why string) (string, error) { return "", errors.New("refused: " + why) },
	"set": func(m map[string]interface{}, k string, v interface{}) map[string]interface{} {
		m[k] = v
		return m
	},
}

func execute(raw []byte, option, source string) result {
	entry := result{Template: source}
	if option != "missingkey=zero" {
		entry.Option = option
	}
	var data map[string]interface{}
	check(json.Unmarshal(raw, &data))
	data["typed"] = typed()
	t, err := template.New("case").Option(option).Funcs(functions).Parse(source)
	if err == nil {
		var out bytes.Buffer
		err = t.Execute(&out, data)
		entry.Output = out.String()
	}
	if err != nil {
		entry.Output = ""
		entry.Error = err.Error()
	}
	return entry
}

func main() {
	raw, err := os.ReadFile("data.json")
	check(err)
	option := "missingkey=zero"
	if len(os.Args) > 1 && os.Args[1] == "-lines" {
		if len(os.Args) > 2 {
			option = os.Args[2]
		}
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20)
		out := json.NewEncoder(os.Stdout)
		for lines.Scan() {
			var source string
			check(json.Unmarshal(lines.Bytes(), &source))
			check(out.Encode(execute(raw, option, source)))
		}
		return
	}
	text, err := os.ReadFile("cases.txt")
	check(err)
	var results []result
	for _, line := range strings.Split(string(text), "\n") {
		if set, found := strings.CutPrefix(line, "#! "); found {
			option = set
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		results = append(results, execute(raw, option, strings.ReplaceAll(line, `\n`, "\n")))
	}
	text, err = os.ReadFile("random.json")
	check(err)
	var sources []string
	check(json.Unmarshal(text, &sources))
	for _, source := range sources {
		results = append(results, execute(raw, "missingkey=zero", source))
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	check(encoder.Encode(results))
	check(os.WriteFile("expected.json", out.Bytes(), 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
