#!/bin/busybox sh
# shellcheck shell=sh disable=SC2086 # arguments are several words
# The entry point of an image that runs functions as Keptn's images do, with a shell for Deno and Python.
exec /bin/busybox sh $CMD_ARGS "$SCRIPT"
