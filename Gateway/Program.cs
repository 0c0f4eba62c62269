using System.CommandLine;
using Gateway.Cli;

var root = new RootCommand("A gateway for LLM servers: estimates each answer's length, and sends each request where it is answered soonest.")
{
    ServeVerb.Create(),
    CheckVerb.Create(),
    EngineVerb.Create(),
    CalibrateVerb.Create(),
};
var parsed = root.Parse(args);
var exitCode = await parsed.InvokeAsync();
return parsed.Errors.Count > 0 ? 2 : exitCode;
