using System.Security.Cryptography;
using System.Text;
using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Configuration;
using Gateway.Requests;
using Microsoft.Extensions.Logging;

namespace Gateway;

/// <summary>Makes the tenants in force from the configuration and its keys file, and again when either changes; a faulty keys file changes no key. Thread-safe.</summary>
internal sealed partial class TenantKeeper : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Func<string, string?> _environment;
    private readonly PrefixHasher _hasher;
    private readonly ILogger _log;
    private readonly byte[] _ownSecret = RandomNumberGenerator.GetBytes(32);
    private readonly FileFollower _follower;
    private GatewayOptions _options;
    private IReadOnlyList<KeyLine> _keys = [];

    public TenantKeeper(GatewayOptions options, Func<string, string?> environment, PrefixHasher hasher, TimeProvider time, ILogger log)
    {
        (_options, _environment, _hasher, _log) = (options, environment, hasher, log);
        Ledger = new LimitLedger(time);
        Door = new Doorkeeper(Ledger, hasher);
        Apply(options);
        _follower = new FileFollower(() => Volatile.Read(ref _options).Access?.KeysFile is { } file ? [file] : [], OnKeysChanged, time);
    }

    /// <summary>Who is let in.</summary>
    public Doorkeeper Door { get; }

    /// <summary>What they use.</summary>
    public LimitLedger Ledger { get; }

    /// <summary>Lets another ledger decide, which asks other gateways too.</summary>
    public void ShareLimits(ILimitLedger shared) => Door.Ledger = shared;

    /// <summary>Takes over new options, and the keys file as it is now.</summary>
    public void Apply(GatewayOptions options)
    {
        lock (_gate)
        {
            Volatile.Write(ref _options, options);
            ApplyLocked(options);
        }
    }

    public void Dispose() => _follower.Dispose();

    // The options are read under the lock: those of a moment before may have been replaced by a reload, which this would undo.
    private void OnKeysChanged()
    {
        lock (_gate)
        {
            ApplyLocked(_options);
        }
    }

    private void ApplyLocked(GatewayOptions options)
    {
        if (options.Access is not { } access)
        {
            Door.Directory = null;
            return;
        }
        var problems = new List<ConfigurationProblem>();
        var read = ReferencedFiles.ReadKeys(access, _environment, problems);
        if (problems.Count > 0)
        {
            Log.Refused(_log, Environment.NewLine + ProblemReport.Format(problems, "The keys in force were not changed."));
        }
        else
        {
            _keys = read;
        }
        var secret = access.SecretEnv is { } name && _environment(name) is { Length: > 0 } given ? Encoding.UTF8.GetBytes(given) : _ownSecret;
        Door.Directory = TenantDirectory.Create(access, new DirectorySources(options.Models, _environment, _keys, _hasher, secret));
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "A changed keys file was refused:{Problems}")]
        public static partial void Refused(ILogger logger, string problems);
    }
}
