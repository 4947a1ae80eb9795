//go:build tools

// Package jaeger names the tracing backend that tests/tests/otlp.rs sends spans to, so that Go can
// build it from the module proxy; tests/install-peers does that.
package jaeger

import _ "github.com/jaegertracing/jaeger/cmd/all-in-one"
