using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Gateway.Tests;

/// <summary>The rules of the rooms, read from the source: one project means that the compiler cannot guard them.</summary>
public sealed partial class ArchitectureTests
{
    private const int MaxLines = 400;

    private static readonly string Root = FindRoot();
    private static readonly string[] Core = ["Requests", "Estimation", "Replicas", "Routing", "Queueing", "Learning"];

    // The longest matching folder rules. A room may name itself and what stands here, and nothing stands here that no file of it names.
    private static readonly Dictionary<string, string[]> MayName = new(StringComparer.Ordinal)
    {
        [""] = [.. Core, "Api", "Access", "Forwarding", "Coordination", "Telemetry", "Dashboard", "Configuration", "Replicas/Engines", "ASP.NET", "YARP", "Logging", "HTTP"],
        ["Program.cs"] = ["Cli", "Console"],
        ["Cli"] =
        [
            "Requests", "Estimation", "Replicas", "root", "Forwarding", "Telemetry", "Configuration", "Replicas/Engines",
            "Simulation", "Simulation/Serving", "Replay", "ASP.NET", "Logging", "HTTP", "Sockets", "Console",
        ],
        ["Api"] = ["Requests", "Replicas", "Routing", "Queueing", "Learning", "Forwarding", "ASP.NET"],
        ["Access"] = ["Requests", "Estimation", "Replicas", "Api", "Forwarding", "ASP.NET", "Logging"],
        ["Requests"] = [],
        ["Estimation"] = ["Requests"],
        ["Replicas"] = [],
        ["Replicas/Engines"] = ["Replicas", "Forwarding", "HTTP", "Sockets", "Logging"],
        ["Routing"] = ["Requests", "Estimation", "Replicas"],
        ["Queueing"] = ["Requests", "Estimation", "Replicas", "Routing"],
        ["Learning"] = ["Requests", "Estimation", "Replicas"],
        ["Forwarding"] = ["Requests", "Estimation", "Replicas", "Queueing", "Learning", "YARP", "Polly", "ASP.NET", "HTTP", "Logging"],
        ["Forwarding/UpstreamConnections.cs"] = ["Forwarding", "HTTP", "Sockets"],
        ["Coordination"] = ["Estimation", "Replicas", "Routing", "Access", "Redis", "Logging"],
        ["Telemetry"] = ["Requests", "Estimation", "Replicas", "Queueing", "Learning", "ASP.NET", "Logging", "OpenTelemetry"],
        ["Dashboard"] = ["Requests", "Estimation", "Replicas", "Queueing", "Learning", "Telemetry", "ASP.NET"],
        ["Configuration"] = ["Api", "Access", "Estimation", "Forwarding", "Queueing", "Replicas", "Replicas/Engines", "Routing", "Telemetry", "Coordination", "Logging", "YAML"],
        ["Simulation"] = [],
        ["Simulation/Serving"] = ["Simulation", "ASP.NET", "Logging"],
        ["Replay"] = [.. Core, "root", "Configuration", "Coordination", "Simulation"],
    };

    private static readonly Dictionary<string, string[]> Outside = new(StringComparer.Ordinal)
    {
        ["ASP.NET"] = ["Microsoft.AspNetCore", "Microsoft.Net.Http.Headers"],
        ["YARP"] = ["Yarp"],
        ["Polly"] = ["Polly"],
        ["Logging"] = ["Microsoft.Extensions", "ILogger"],
        ["HTTP"] = ["System.Net.Http", "HttpClient", "HttpMessageInvoker"],
        ["Sockets"] = ["System.Net.Sockets", "System.Net.Dns", "Dns.Get"],
        ["Redis"] = ["StackExchange"],
        ["OpenTelemetry"] = ["OpenTelemetry"],
        ["Console"] = ["Spectre", "System.CommandLine"],
        ["YAML"] = ["YamlDotNet"],
    };

    private static readonly HashSet<string> TopLevel = new(StringComparer.Ordinal)
    {
        "Gateway", "Gateway.Tests", "deploy", "config", "docker-compose.yml", "Gateway.sln", "README.md",
        ".ci", ".editorconfig", ".gitignore", "global.json", "Directory.Build.props", "Directory.Packages.props", ".git",
    };

    public static TheoryData<string> SourceFiles => [.. Files("Gateway")];

    [Theory, MemberData(nameof(SourceFiles))]
    public void File_OfARoom_NamesOnlyWhatItsRoomMayName(string file)
    {
        var forbidden = ForbiddenNames(file, Read("Gateway", file));

        Assert.Empty(forbidden);
    }

    [Theory]
    [InlineData("Routing/Router.cs", "using Gateway.Queueing;", "Queueing")]
    [InlineData("Routing/Router.cs", "using Waiting = Gateway.Queueing.Waiter;", "Queueing")]
    [InlineData("Routing/Router.cs", "using static Gateway.Queueing.QueueOrders;", "Queueing")]
    [InlineData("Routing/Router.cs", "private readonly Queueing.Dispatcher _queue;", "Queueing")]
    [InlineData("Routing/Router.cs", "return global::Gateway.Queueing.QueueOrders.Names;", "Queueing")]
    [InlineData("Routing/Router.cs", "private readonly GatewayCore _core;", "root")]
    [InlineData("Estimation/RunningLengths.cs", "using Gateway.Replicas;", "Replicas")]
    [InlineData("Replicas/Replica.cs", "private Engines.EngineClient? _client;", "Replicas/Engines")]
    [InlineData("Replicas/Replica.cs", "using Gateway.Replicas.Engines;", "Replicas/Engines")]
    [InlineData("Learning/CompletionLearner.cs", "using Gateway.Queueing;", "Queueing")]
    [InlineData("Simulation/EngineModel.cs", "using Gateway.Simulation.Serving;", "Simulation/Serving")]
    [InlineData("Simulation/EngineModel.cs", "Serving.EngineLoop loop;", "Simulation/Serving")]
    [InlineData("Queueing/Dispatcher.cs", "using Microsoft.Extensions.Logging;", "Logging")]
    [InlineData("Queueing/Dispatcher.cs", "private ILogger<Dispatcher> _log;", "Logging")]
    [InlineData("Queueing/Dispatcher.cs", "Microsoft.AspNetCore.Http.HttpContext http;", "ASP.NET")]
    [InlineData("Requests/BodyReader.cs", "using System.Net.Http;", "HTTP")]
    [InlineData("Requests/BodyReader.cs", "using System.Net.Sockets;", "Sockets")]
    [InlineData("Estimation/RunningLengths.cs", "using Polly;", "Polly")]
    [InlineData("Routing/Router.cs", "using Yarp.ReverseProxy.Forwarder;", "YARP")]
    [InlineData("Telemetry/AccessLog.cs", "using Gateway.Forwarding;", "Forwarding")]
    [InlineData("Api/RouteTable.cs", "using Gateway.Cli;", "Cli")]
    [InlineData("GatewayPath.cs", "using Gateway.Simulation;", "Simulation")]
    [InlineData("Forwarding/Answers/SseFrame.cs", "using Gateway.Api;", "Api")]
    public void ForbiddenNames_OfAFileThatBreaksItsRoom_TellsTheRoom(string file, string line, string room)
    {
        var text = $"namespace {NamespaceOf(file)};\n\n{line}\n";

        Assert.Equal([room], ForbiddenNames(file, text));
    }

    [Theory]
    [InlineData("Routing/Router.cs", "// Queueing.Dispatcher asks, and nobody else does.")]
    [InlineData("Routing/Router.cs", "/// <summary>See <see cref=\"Queueing.Dispatcher\"/>.</summary>")]
    [InlineData("Routing/Router.cs", "/* using Gateway.Queueing; */")]
    [InlineData("Routing/Router.cs", "var waiting = options.Queueing.MaxWaiting;")]
    [InlineData("Routing/Router.cs", "using Gateway.Replicas;")]
    [InlineData("Simulation/Serving/EngineLoop.cs", "using Gateway.Simulation;")]
    [InlineData("Program.cs", "using Gateway.Cli;")]
    public void ForbiddenNames_OfAFileThatKeepsToItsRoom_AreNone(string file, string line)
    {
        var text = $"namespace {NamespaceOf(file)};\n\n{line}\n";

        Assert.Empty(ForbiddenNames(file, text));
    }

    [Fact]
    public void Rooms_OfTheGateway_NameAllThatTheyMayName()
    {
        var named = Files("Gateway").SelectMany(file => NamedIn(WithoutComments(Read("Gateway", file))).Select(name => (Room: RoomOf(file), Name: name))).ToHashSet();

        // A room within another sees that one without naming it.
        var unused = MayName.SelectMany(rule => rule.Value.Where(name => !rule.Key.StartsWith(name + "/", StringComparison.Ordinal)).Select(name => (Room: rule.Key, Name: name)))
            .Where(arrow => !named.Contains(arrow));

        Assert.Empty(unused);
    }

    [Theory, MemberData(nameof(SourceFiles))]
    public void File_OfTheGateway_TakesTimeAndChanceFromOutside(string file) =>
        Assert.Empty(ClocksAndDraws(Read("Gateway", file)));

    [Theory]
    [InlineData("var now = DateTime.UtcNow;")]
    [InlineData("var now = DateTimeOffset.Now;")]
    [InlineData("var watch = Stopwatch.StartNew();")]
    [InlineData("var draw = Random.Shared.Next();")]
    [InlineData("var chance = new Random();")]
    [InlineData("await Task.Delay(100, cancellationToken);")]
    [InlineData("await Task.Delay(TimeSpan.FromSeconds(1));")]
    [InlineData("Thread.Sleep(1);")]
    [InlineData("var at = Environment.TickCount64;")]
    public void ClocksAndDraws_OfAFileThatTakesItsOwn_AreFound(string line) =>
        Assert.NotEmpty(ClocksAndDraws(line));

    [Theory]
    [InlineData("await Task.Delay(pause, time, cancellationToken);")]
    [InlineData("var chance = new Random(seed);")]
    [InlineData("var now = time.GetUtcNow(); // not DateTime.UtcNow")]
    public void ClocksAndDraws_OfAFileThatIsGivenThem_AreNone(string line) =>
        Assert.Empty(ClocksAndDraws(line));

    [Theory, MemberData(nameof(SourceFiles))]
    public void File_OfTheGateway_StaysShort(string file)
    {
        var lines = File.ReadLines(Path.Combine(Root, "Gateway", file)).Count();

        Assert.True(lines < MaxLines, $"{file} has {lines} lines: past {MaxLines} there was a second subject");
    }

    [Theory, MemberData(nameof(SourceFiles))]
    public void File_OfTheGateway_BearsTheNamespaceOfItsFolder(string file)
    {
        var text = WithoutComments(Read("Gateway", file));
        var declared = NamespaceLine().Match(text);

        Assert.True(!declared.Success || declared.Groups[1].Value == NamespaceOf(file), $"{file} declares {declared.Groups[1].Value}");
    }

    [Fact]
    public void Repository_AtItsTop_HoldsNothingBesideTheAgreedNames()
    {
        var ignored = File.ReadLines(Path.Combine(Root, ".gitignore")).Select(line => line.Trim().Trim('/')).ToHashSet(StringComparer.Ordinal);
        var names = Directory.EnumerateFileSystemEntries(Root).Select(path => Path.GetFileName(path)!).Where(name => !ignored.Contains(name)).ToList();

        Assert.Contains("Gateway.sln", names);
        Assert.Empty(StrayNames(names));
    }

    [Fact]
    public void StrayNames_OfATopLevelWithAPlan_NamesThePlan() =>
        Assert.Equal(["PLAN.md"], StrayNames(["Gateway", "README.md", "PLAN.md"]));

    [Fact]
    public void Tests_ThatHoldWhatMustBeDisposed_AreDisposedByXunit()
    {
        // This version of xunit disposes only what is IDisposable or IAsyncLifetime.
        var left = typeof(ArchitectureTests).Assembly.GetTypes()
            .Where(type => type.GetMethods().Any(method => method.IsDefined(typeof(FactAttribute))))
            .Where(type => type.IsAssignableTo(typeof(IAsyncDisposable)) && !type.IsAssignableTo(typeof(IAsyncLifetime)));

        Assert.Empty(left.Select(type => type.FullName));
    }

    [Fact]
    public void Tests_OfEveryRoom_AreNamedByMethodSituationAndExpectation()
    {
        var tests = typeof(ArchitectureTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly))
            .Where(method => method.GetCustomAttributes<FactAttribute>().Any())
            .ToList();

        Assert.NotEmpty(tests);
        Assert.Empty(tests.Where(test => !IsTestName(test.Name)).Select(test => $"{test.DeclaringType!.Name}.{test.Name}"));
    }

    [Theory]
    [InlineData("Invoke_Works", false)]
    [InlineData("Enter", false)]
    [InlineData("Enter_When_Full_Refuses", false)]
    [InlineData("Enter__Refuses", false)]
    [InlineData("Enter_WhenFull_Refuses", true)]
    public void IsTestName_OfAName_AsksForThreeParts(string name, bool expected) =>
        Assert.Equal(expected, IsTestName(name));

    /// <summary>The rooms and outside worlds that a file names without being allowed to.</summary>
    private static List<string> ForbiddenNames(string file, string text)
    {
        var room = RoomOf(file);
        string[] allowed = [room.Length == 0 || room == "Program.cs" ? "root" : room, .. MayName[room]];
        return [.. NamedIn(WithoutComments(text)).Distinct().Except(allowed).Order(StringComparer.Ordinal)];
    }

    private static string RoomOf(string file) =>
        MayName.Keys.Where(key => key.Length == 0 || file == key || file.StartsWith(key + "/", StringComparison.Ordinal)).MaxBy(key => key.Length)!;

    private static IEnumerable<string> NamedIn(string code)
    {
        foreach (var room in MayName.Keys.Where(key => key.Length > 0 && key != "Program.cs"))
        {
            // A namespace of ours is also seen by the last part of its name: Gateway.Routing sees Queueing.Dispatcher without any using.
            var full = Regex.Escape(room.Replace('/', '.'));
            var last = Regex.Escape(room.Split('/')[^1]);
            var isOuter = MayName.Keys.Any(key => key.StartsWith(room + "/", StringComparison.Ordinal));
            var butNotInner = isOuter ? @"(?!\.(?:Engines|Serving)\b)" : "";
            if (Regex.IsMatch(code, $@"(?<![.\w])Gateway\.{full}\b{butNotInner}") || Regex.IsMatch(code, $@"(?<![.\w])(?:{full}|{last}){butNotInner}\.(?=[A-Z])"))
            {
                yield return room;
            }
        }
        foreach (var (world, names) in Outside)
        {
            if (names.Any(name => Regex.IsMatch(code, $@"(?<![.\w]){Regex.Escape(name)}")))
            {
                yield return world;
            }
        }
        if (Files("Gateway").Where(file => !file.Contains('/') && file != "Program.cs").Any(file => Regex.IsMatch(code, $@"(?<![.\w]){Path.GetFileNameWithoutExtension(file)}\b")))
        {
            yield return "root";
        }
    }

    private static List<string> ClocksAndDraws(string text)
    {
        var code = WithoutComments(text);
        var delays = Delay().Matches(code).Where(delay => !GivenTime().IsMatch(delay.Value));
        return [.. OwnClock().Matches(code).Concat(delays).Select(match => match.Value)];
    }

    private static List<string> StrayNames(IEnumerable<string> names) => [.. names.Where(name => !TopLevel.Contains(name))];

    private static bool IsTestName(string name) => name.Split('_') is { Length: 3 } parts && Array.TrueForAll(parts, part => part.Length > 0 && char.IsUpper(part[0]));

    private static string WithoutComments(string text) =>
        CommentOrString().Replace(text, match => match.Value.StartsWith('/') ? " " : match.Value);

    private static string NamespaceOf(string file) =>
        string.Join('.', file.Split('/')[..^1].Prepend("Gateway"));

    private static string Read(string project, string file) => File.ReadAllText(Path.Combine(Root, project, file));

    private static IEnumerable<string> Files(string project)
    {
        var folder = Path.Combine(Root, project);
        return Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Where(path => !path.StartsWith("bin/", StringComparison.Ordinal) && !path.StartsWith("obj/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
    }

    private static string FindRoot([CallerFilePath] string here = "")
    {
        foreach (var start in new[] { AppContext.BaseDirectory, Path.GetDirectoryName(here)! })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "Gateway.sln")))
                {
                    return folder.FullName;
                }
            }
        }
        throw new InvalidOperationException("Gateway.sln is in no folder above the tests.");
    }

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/|@""(?:[^""]|"""")*""|""""""[\s\S]*?""""""|""(?:\\.|[^""\\\n])*""|'(?:\\.|[^'\\\n])'", RegexOptions.Singleline)]
    private static partial Regex CommentOrString();

    [GeneratedRegex(@"\bDateTime(?:Offset)?\.(?:Now|UtcNow|Today)\b|\bStopwatch\b|\bRandom\.Shared\b|\bnew Random\(\)|\bThread\.Sleep\b|\bEnvironment\.TickCount")]
    private static partial Regex OwnClock();

    [GeneratedRegex(@"\bTask\.Delay\(([^;]*);")]
    private static partial Regex Delay();

    [GeneratedRegex(@"(?:\b_?time|\.Time|\bTimeProvider\.System)\s*[,)]")]
    private static partial Regex GivenTime();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
