// Executes the cases of cases.txt with Go's own text/template and writes expected.json.
//
//	cd crates/gotemplate/tests/golden && go run main.go
//
// A case is a line: a template, with \n for line feeds. Lines that begin with # are comments.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type result struct {
	Template string `json:"template"`
	Output   string `json:"output,omitempty"`
	Error    string `json:"error,omitempty"`
}

func main() {
	raw, err := os.ReadFile("data.json")
	check(err)
	var data map[string]interface{}
	check(json.Unmarshal(raw, &data))
	text, err := os.ReadFile("cases.txt")
	check(err)
	functions := template.FuncMap{
		"upper":  strings.ToUpper,
		"add":    func(a, b int) int { return a + b },
		"list":   func(v ...interface{}) []interface{} { return v },
		"dict":   func(k string, v interface{}) map[string]interface{} { return map[string]interface{}{k: v} },
		"int64":  func(v int) int64 { return int64(v) },
		"nothing": func() interface{} { return nil },
		"set": func(m map[string]interface{}, k string, v interface{}) map[string]interface{} {
			m[k] = v
			return m
		},
	}
	var results []result
	for _, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		source := strings.ReplaceAll(line, `\n`, "\n")
		entry := result{Template: source}
		var copied map[string]interface{}
		check(json.Unmarshal(raw, &copied))
		t, err := template.New("case").Option("missingkey=zero").Funcs(functions).Parse(source)
		if err == nil {
			var out bytes.Buffer
			err = t.Execute(&out, copied)
			entry.Output = out.String()
		}
		if err != nil {
			entry.Output = ""
			entry.Error = err.Error()
		}
		results = append(results, entry)
	}
	out, err := json.MarshalIndent(results, "", " ")
	check(err)
	check(os.WriteFile("expected.json", append(out, '\n'), 0o644))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
