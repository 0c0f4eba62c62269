using System.CommandLine;
using System.CommandLine.Invocation;
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
// Behind a verb's own error its whole help would push that error off the screen.
var isAboutVerb = parsed.Errors.Count > 0 && parsed.CommandResult.Command is not RootCommand;
if (isAboutVerb && parsed.Action is ParseErrorAction wrong)
{
    wrong.ShowHelp = false;
}
// Each verb stops in its own way: the library would end the process two seconds after a signal, in the middle of running answers.
var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
if (isAboutVerb)
{
    await Console.Error.WriteLineAsync($"All options: gateway {parsed.CommandResult.Command.Name} --help");
}
return parsed.Errors.Count > 0 ? 2 : exitCode;
