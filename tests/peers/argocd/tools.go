//go:build tools

// Package argocd names Argo CD, whose servers and command line are one program; tests/rig/build builds
// it. Argo CD's own module has replacements, which `go install` refuses; they are repeated in go.mod.
package argocd

import _ "github.com/argoproj/argo-cd/v3/cmd"
