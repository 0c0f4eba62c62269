using System.CommandLine;
using Gateway.Cli;

var root = new RootCommand("A gateway for LLM servers: estimates each answer's length, and sends each request where it is answered soonest.")
{
    ServeVerb.Create(),
    DemoVerb.Create(),
    CheckVerb.Create(),
    EngineVerb.Create(),
    ReplayVerb.Create(),
    CalibrateVerb.Create(),
    EstimateVerb.Create(),
};
// Without a verb it serves.
var parsed = root.Parse(args is [] or ["--config", ..] ? ["serve", .. args] : args);
// Each verb stops in its own way: the library would end the process two seconds after a signal, in the middle of running answers.
var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? 2 : exitCode;
