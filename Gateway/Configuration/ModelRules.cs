using System.Text.RegularExpressions;
using Gateway.Replicas;

namespace Gateway.Configuration;

/// <summary>What must hold among the models: names, aliases and ids apart, every model with replicas, every key variable set.</summary>
internal static partial class ModelRules
{
    public static void Check(GatewayOptions options, IReadOnlyDictionary<string, string> environment, RuleReport report)
    {
        if (options.Models.Count == 0 && !report.IsWritten("models[0]"))
        {
            report.Add("models", "no model is configured. Give at least one with a name and its replicas.");
        }

        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        var engines = new Dictionary<string, (Uri Address, string Path)>(StringComparer.Ordinal);
        for (var i = 0; i < options.Models.Count; i++)
        {
            var (model, path) = (options.Models[i], $"models[{i}]");
            CheckName(model.Name, $"{path}.name", names, report);
            for (var j = 0; j < model.Aliases.Count; j++)
            {
                CheckName(model.Aliases[j], $"{path}.aliases[{j}]", names, report);
            }

            CheckKey(model, path, environment, report);
            CheckPriority(model, $"{path}.enginePriority", report);
            CheckDiscovery(model.Discovery, $"{path}.discovery", report);
            if (model is { Replicas.Count: 0, Discovery: { File: null, Kubernetes: null } } && !report.IsWritten($"{path}.replicas[0]"))
            {
                report.Add($"{path}.replicas", "a model needs at least one replica, or discovery.");
            }

            CheckReplicas(model.Replicas, $"{path}.replicas", engines, report);
        }

        CheckFallbacks(options.Models, report);
        WarnOfShared(options.Models, report);
    }

    /// <summary>The replicas of a file of their own.</summary>
    public static void CheckListed(IReadOnlyList<ReplicaOptions> replicas, RuleReport report) => CheckReplicas(replicas, "replicas", new(StringComparer.Ordinal), report);

    private static void CheckDiscovery(DiscoveryOptions discovery, string path, RuleReport report)
    {
        if (discovery.Kubernetes is { Service: null, LabelSelector: null } && !report.IsWritten($"{path}.kubernetes.service") && !report.IsWritten($"{path}.kubernetes.labelSelector"))
        {
            report.Add($"{path}.kubernetes", "names neither a service nor a labelSelector; every endpoint of the namespace would be taken.");
        }

        if (discovery.Kubernetes?.Service is { Length: > 0 } service && !LabelValue().IsMatch(service))
        {
            report.Add($"{path}.kubernetes.service", $"\"{SettingText.Shown(service)}\" is no name of a service.");
        }
    }

    // Each model would count on the whole engine and know nothing of the other's requests.
    private static void WarnOfShared(IReadOnlyList<ModelOptions> models, RuleReport report)
    {
        var engines = new Dictionary<Uri, (int Model, string Path, bool HasPart)>();
        for (var i = 0; i < models.Count; i++)
        {
            for (var j = 0; j < models[i].Replicas.Count; j++)
            {
                var (replica, path) = (models[i].Replicas[j], $"models[{i}].replicas[{j}]");
                if ((replica.Url ?? replica.Dns) is not { } address)
                {
                    continue;
                }

                var engine = (Model: i, Path: path, HasPart: replica.Slots is not null || replica.KvTokens is not null);
                if (!engines.TryAdd(address, engine) && engines[address] is var other && other.Model != i && !(engine.HasPart && other.HasPart))
                {
                    report.Warn(path, $"is the engine of {other.Path} too, and each of the two models gives out all of its room. Make them one model with aliases, or split kvTokens or slots between them.");
                }
            }
        }
    }

    private static void CheckFallbacks(IReadOnlyList<ModelOptions> models, RuleReport report)
    {
        for (var i = 0; i < models.Count; i++)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            for (var j = 0; j < models[i].Fallbacks.Count; j++)
            {
                var (name, path) = (models[i].Fallbacks[j], $"models[{i}].fallbacks[{j}]");
                if (models.All(model => model.Name != name))
                {
                    report.Add(path, $"\"{SettingText.Shown(name)}\" is no model here. A fallback is the name of another model, not an alias.");
                }
                else if (!seen.Add(name))
                {
                    report.Add(path, $"\"{SettingText.Shown(name)}\" is listed twice.");
                }
                else if (Reaches(models, name, models[i].Name, []))
                {
                    report.Add(path, $"\"{SettingText.Shown(name)}\" falls back to this model in turn: two exhausted models would send their load round in a circle.");
                }
            }
        }
    }

    private static bool Reaches(IReadOnlyList<ModelOptions> models, string from, string to, HashSet<string> passed) =>
        from == to || (passed.Add(from) && models.Where(model => model.Name == from).SelectMany(model => model.Fallbacks).Any(next => Reaches(models, next, to, passed)));

    private static void CheckName(string name, string path, Dictionary<string, string> taken, RuleReport report)
    {
        if (name.Length == 0)
        {
            return;
        }

        if (name.Length > 256 || name.Any(char.IsControl))
        {
            report.Add(path, "a name has up to 256 characters, none of them a control character.");
        }
        else if (!taken.TryAdd(name, path))
        {
            report.Add(path, $"\"{SettingText.Shown(name)}\" is taken by {taken[name]}. Names and aliases are unique among all models.");
        }
    }

    private static void CheckKey(ModelOptions model, string path, IReadOnlyDictionary<string, string> environment, RuleReport report)
    {
        if (model.ApiKeyEnv is { Length: > 0 } variable)
        {
            CheckVariable(variable, $"{path}.apiKeyEnv", environment, report);
        }
    }

    // With engine: auto, and with engines that have a switch for it, the setting cannot be checked and is believed.
    private static void CheckPriority(ModelOptions model, string path, RuleReport report)
    {
        if (model.EnginePriority is not (EnginePriority.LowerFirst or EnginePriority.HigherFirst))
        {
            return;
        }

        // A replica may run another engine than its model says.
        if (model.Replicas.Any(replica => replica.Engine is { } engine && engine != model.Engine))
        {
            return;
        }

        if (model.Engine is EngineKind.LlamaCpp or EngineKind.Tgi or EngineKind.Ollama)
        {
            report.Warn(path, $"{EnumWords.Of(model.Engine)} does not schedule by a request's priority: it will ignore the number.");
        }
        else if (model is { Engine: EngineKind.Vllm, EnginePriority: EnginePriority.HigherFirst })
        {
            report.Add(path, "vLLM takes the smallest number first: what is urgent would go last.", "lowerFirst");
        }
    }

    /// <summary>The value is never shown, not even the name: people paste the key itself here.</summary>
    /// <returns>The variable's value; null where there is none to use.</returns>
    public static string? CheckVariable(string variable, string path, IReadOnlyDictionary<string, string> environment, RuleReport report)
    {
        if (!VariableName().IsMatch(variable))
        {
            report.Add(path, "is not the name of an environment variable. The key itself does not belong in this file.");
        }
        else if (environment.GetValueOrDefault(variable) is not { Length: > 0 } key)
        {
            report.Add(path, "the environment variable that this names is not set.");
        }
        else if (key.Any(char.IsControl) || key.Trim().Length != key.Length)
        {
            // A key with such characters can stand in no header, so no client could ever send it.
            report.Add(path, "the environment variable that this names begins or ends with white space, or holds a line break. A secret made with echo has one at its end: use printf %s.");
        }
        else
        {
            return key;
        }

        return null;
    }

    private static void CheckReplicas(IReadOnlyList<ReplicaOptions> replicas, string path, Dictionary<string, (Uri Address, string Path)> engines, RuleReport report)
    {
        var own = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < replicas.Count; i++)
        {
            var (replica, at) = (replicas[i], $"{path}[{i}]");
            var (hasUrl, hasDns) = (report.IsWritten($"{at}.url") || report.IsShorthand(at), report.IsWritten($"{at}.dns"));
            if (hasUrl == hasDns)
            {
                report.Add(at, hasUrl ? "has both url and dns; one of them says where the engine is." : "has neither url nor dns; one of them says where the engine is.");
            }

            if ((replica.Url ?? replica.Dns) is { } address && replica.Id.Length > 0)
            {
                CheckPath(address, report.IsShorthand(at) ? at : $"{at}.{(hasUrl ? "url" : "dns")}", report);
                CheckId(replica.Id, address, at, own, engines, report);
            }
        }
    }

    // A whole endpoint is pasted now and then; of a base URL the /v1 at its end is already gone.
    private static void CheckPath(Uri address, string path, RuleReport report)
    {
        var segments = address.AbsolutePath.Split('/');
        if (Array.IndexOf(segments, "v1") is >= 0 and var at)
        {
            var meant = address.GetLeftPart(UriPartial.Authority) + string.Join('/', segments[..at]);
            report.Add(path, "an address ends before /v1: the gateway adds the routes itself.", SettingText.Shown(meant));
        }
    }

    private static void CheckId(string id, Uri address, string at, HashSet<string> own, Dictionary<string, (Uri Address, string Path)> engines, RuleReport report)
    {
        var spot = report.IsWritten($"{at}.id") ? $"{at}.id" : at;
        if (!IdForm().IsMatch(id))
        {
            report.Add(spot, "an id has up to 128 letters, digits and any of . _ : - [ ]");
        }
        else if (!own.Add(id))
        {
            report.Add(spot, $"\"{SettingText.Shown(id)}\" is listed twice in this model.");
        }
        else if (!engines.TryAdd(id, (address, at)) && engines[id].Address != address)
        {
            report.Add(spot, $"\"{SettingText.Shown(id)}\" is taken by {engines[id].Path}, which has another address.");
        }
    }

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
    private static partial Regex VariableName();

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    private static partial Regex LabelValue();

    [GeneratedRegex(@"^[A-Za-z0-9._:\[\]-]{1,128}$")]
    private static partial Regex IdForm();
}
