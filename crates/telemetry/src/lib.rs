//! Deliveries as OpenTelemetry traces: span tree, OTLP export, files
