//go:build tools

// Package coredns names the cluster's name server; tests/rig/build builds it.
package coredns

import _ "github.com/coredns/coredns"
