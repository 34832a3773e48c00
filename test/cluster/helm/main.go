// Helm, to check the chart with.
package main

import (
	"log/slog"
	"os"

	helmcmd "helm.sh/helm/v4/pkg/cmd"
)

func main() {
	root, err := helmcmd.NewRootCmd(os.Stdout, os.Args[1:], helmcmd.SetupLogging)
	if err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
	if root.Execute() != nil {
		os.Exit(1)
	}
}
