// Command pulumi-resource-docker is the Docker provider's plugin, built from the code that pulumi-docker wraps:
// Pulumi's Terraform bridge over kreuzwerker/terraform-provider-docker. It exists where the released plugin cannot
// be downloaded; tokens, names and replacement rules are those of pulumi-docker, for the resources this project uses.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// version is set by the linker to the version of pulumi-docker whose place this plugin takes.
var version = "0.0.0"

func main() {
	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(provider.New(version)()),
		Name:    "docker",
		Version: version,
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_container": {
				Tok:                 "docker:index/container:Container",
				DeleteBeforeReplace: true,
				Fields: map[string]*tfbridge.SchemaInfo{
					"command":           {Name: "command"},
					"networks_advanced": {Name: "networksAdvanced"},
				},
			},
			"docker_image": {
				Tok:    "docker:index/remoteImage:RemoteImage",
				Fields: map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}},
			},
			"docker_network": {Tok: "docker:index/network:Network"},
			"docker_volume":  {Tok: "docker:index/volume:Volume"},
		},
	}
	info.P.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if _, used := info.Resources[name]; !used {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	info.P.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		info.IgnoreMappings = append(info.IgnoreMappings, name)
		return true
	})
	info.SetAutonaming(255, "-")
	tfbridge.Main("docker", version, info, []byte(`{"name":"docker","version":"`+version+`"}`))
}
