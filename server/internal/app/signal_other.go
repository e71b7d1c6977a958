//go:build !unix

package app

import "os"

// reloadSignal asks for the configuration to be read again; there is none here.
var reloadSignal os.Signal
