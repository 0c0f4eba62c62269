using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Gateway.Cli.Profiles;
using Gateway.Configuration;
using Gateway.Simulation;
using Gateway.Simulation.Serving;

namespace Gateway.Cli;

/// <summary>The verb <c>engine</c>: a simulated vLLM replica on a port, until Ctrl-C or SIGTERM.</summary>
public static class EngineVerb
{
    private static readonly Option<int> Port = new("--port") { Description = "Port to listen on; 0 takes a free one.", DefaultValueFactory = _ => 8000 };
    private static readonly Option<IPAddress> Host = new("--host") { Description = "Address to listen on.", DefaultValueFactory = _ => IPAddress.Loopback, CustomParser = ParseHost };
    private static readonly Option<string> Profile = new("--profile") { Description = "GPU and model to imitate: " + ProfileSource.Known + ".", DefaultValueFactory = _ => EngineProfiles.Demo.Name };
    private static readonly Option<string[]> Model = new("--model") { Description = "Served model name; repeat for several.", DefaultValueFactory = _ => ["demo"] };
    private static readonly Option<int> Seed = new("--seed") { Description = "Decides the answers' texts and lengths, and which requests fail." };
    private static readonly Option<double> Speed = new("--speed") { Description = "Times faster than the profile's hardware.", DefaultValueFactory = _ => 1, CustomParser = ParseNumber };
    private static readonly Option<double> FailRate = new("--fail-rate") { Description = "Share of requests answered with 500, 0 to 1.", CustomParser = ParseNumber };
    private static readonly Option<int?> StallAfter = new("--stall-after") { Description = "Tokens after which an answer goes silent." };
    private static readonly Option<int?> DieAfter = new("--die-after") { Description = "Tokens after which an answer's connection is aborted." };
    private static readonly Option<string> Policy = new("--scheduling-policy") { Description = "Order of waiting requests.", DefaultValueFactory = _ => "fcfs" };
    private static readonly Option<int?> MaxModelLength = new("--max-model-len") { Description = "Context window in tokens; the profile's by default." };
    private static readonly Option<string?> ApiKey = new("--api-key") { Description = "Key that /v1 asks for." };
    private static readonly Option<int?> KvBlocks = new("--kv-blocks") { Description = "KV blocks; the profile's by default." };
    private static readonly Option<int?> MaxSequences = new("--max-num-seqs") { Description = "Most sequences in one step; the profile's by default." };

    private static readonly Option<bool> NoPrefixCaching = new("--no-enable-prefix-caching") { Description = "Keeps no prompt's beginning for those that begin alike." };
    private static readonly Option<bool> NoPromptTokensDetails = new("--no-prompt-tokens-details") { Description = "Answers do not say how much of the prompt was cached, as those of vLLM without --enable-prompt-tokens-details." };

    /// <summary>The command, ready to be added to a root command.</summary>
    public static Command Create()
    {
        Policy.AcceptOnlyFromAmong("fcfs", "priority");
        Profile.Require(word => word is not null && (ProfileSource.IsFile(word) || EngineProfiles.Find(word) is not null), "a profile. Known: " + ProfileSource.Known);
        Port.Require(port => port is >= 0 and <= 65_535, "a port, 0 to 65535");
        Model.Require(names => names is null || Array.TrueForAll(names, name => name.Length > 0), "a name, which has at least one character");
        Speed.Require(speed => speed is > 0 and <= 1e6, "a number above 0, at most 1000000");
        FailRate.Require(share => share is >= 0 and <= 1, "a share, 0 to 1");
        StallAfter.Require(tokens => tokens is null or >= 0, "a number of tokens, at least 0");
        DieAfter.Require(tokens => tokens is null or >= 0, "a number of tokens, at least 0");
        MaxModelLength.Require(tokens => tokens is null or >= 16, "a number of tokens, at least 16");
        KvBlocks.Require(blocks => blocks is null or (>= 1 and <= 100_000_000), "a number of blocks, 1 to 100000000");
        MaxSequences.Require(sequences => sequences is null or (>= 1 and <= 100_000), "a number of sequences, 1 to 100000");
        var command = new Command("engine", "Runs a simulated model server that behaves like a vLLM replica.")
        {
            Port, Host, Profile, Model, Seed, Speed, FailRate, StallAfter, DieAfter, Policy, MaxModelLength, ApiKey, KvBlocks, MaxSequences,
            NoPrefixCaching, NoPromptTokensDetails,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var (profile, problems) = ProfileSource.Load(arguments.GetRequiredValue(Profile));
        if (profile is null)
        {
            await arguments.InvocationConfiguration.Error.WriteLineAsync(ProblemReport.Format(problems, "The engine was not started."));
            return 2;
        }

        using var stop = new StopSignals(cancellationToken);
        try
        {
            await using var engine = await SimulatedEngine.StartAsync(Options(arguments, profile), stop.Token);
            var models = string.Join(", ", arguments.GetRequiredValue(Model));
            await arguments.InvocationConfiguration.Output.WriteLineAsync($"engine {engine.Uri.AbsoluteUri.TrimEnd('/')} profile {engine.Profile.Name} model {models}");
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop.Token);
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            // Ctrl-C and SIGTERM are how this verb ends.
        }
        catch (IOException taken)
        {
            await arguments.InvocationConfiguration.Error.WriteLineAsync(taken.Message);
            return 1;
        }
        catch (SocketException refused)
        {
            await arguments.InvocationConfiguration.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"Cannot listen on {arguments.GetRequiredValue(Host)} port {arguments.GetValue(Port)}: {refused.Message}. Choose an address of this machine and a port that this user may open."));
            return 1;
        }

        return 0;
    }

    private static SimulatedEngineOptions Options(ParseResult arguments, EngineProfile profile) => new()
    {
        Host = arguments.GetRequiredValue(Host),
        Port = arguments.GetValue(Port),
        Profile = profile,
        Models = arguments.GetRequiredValue(Model),
        Seed = arguments.GetValue(Seed),
        Speed = arguments.GetValue(Speed),
        SchedulingPolicy = arguments.GetValue(Policy) == "priority" ? SchedulingPolicy.Priority : SchedulingPolicy.Fcfs,
        MaxModelTokens = arguments.GetValue(MaxModelLength),
        ApiKey = arguments.GetValue(ApiKey),
        KvBlocks = arguments.GetValue(KvBlocks),
        MaxSequences = arguments.GetValue(MaxSequences),
        CachesPrefixes = arguments.GetValue(NoPrefixCaching) ? false : null,
        TellsCachedTokens = !arguments.GetValue(NoPromptTokensDetails),
        Faults = new EngineFaults
        {
            FailRate = arguments.GetValue(FailRate),
            StallAfterTokens = arguments.GetValue(StallAfter),
            DieAfterTokens = arguments.GetValue(DieAfter),
        },
    };

    private static IPAddress? ParseHost(ArgumentResult argument)
    {
        var text = argument.Tokens[0].Value;
        if (text == "localhost")
        {
            return IPAddress.Loopback;
        }

        if (!IPAddress.TryParse(text, out var address))
        {
            argument.AddError($"--host: \"{text}\" is not an address. Write it like 127.0.0.1, 0.0.0.0 or ::1.");
        }

        return address;
    }

    // The library's own parser passes over commas: 1,5 would be 15.
    private static double ParseNumber(ArgumentResult argument) => SettingText.Number(argument.Tokens[0].Value) ?? double.NaN;
}
