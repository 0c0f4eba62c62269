using System.CommandLine;
using Gateway.Cli;

var root = new RootCommand("An OpenAI-compatible gateway for model servers.") { EngineVerb.Create() };
var arguments = root.Parse(args);
var code = await arguments.InvokeAsync();
return arguments.Errors.Count > 0 ? 2 : code;
