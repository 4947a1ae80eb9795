package main

import (
	"fmt"
	"io"
	"os"
	"testing"
	"text/template"
)

func BenchmarkDeployment(b *testing.B) {
	text, err := os.ReadFile("../../benches/deployment.txt")
	check(err)
	parse := func() *template.Template {
		return template.Must(template.New("bench").Option("missingkey=zero").Funcs(functions).Parse(string(text)))
	}
	var containers []interface{}
	for i := range 20 {
		containers = append(containers, map[string]interface{}{
			"name": fmt.Sprintf("container-%d", i), "image": "registry.example.com/app", "tag": "1.2.3", "port": 8080.0,
			"env": map[string]interface{}{"A": "1", "B": "2", "C": "3"},
		})
	}
	data := map[string]interface{}{
		"name": "demo", "replicas": 3.0, "containers": containers,
		"labels": map[string]interface{}{"app": "demo", "tier": "backend"},
	}
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			parse()
		}
	})
	parsed := parse()
	b.Run("execute", func(b *testing.B) {
		for b.Loop() {
			check(parsed.Execute(io.Discard, data))
		}
	})
}
