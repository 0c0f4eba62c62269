using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Gateway.Coordination;
using Microsoft.Extensions.Logging;

namespace Gateway;

/// <summary>What one gateway has in common with others through Redis: its access, the loop of exchanges and the shared limits. Not made where no Redis is configured.</summary>
internal sealed class GatewaySharing : IAsyncDisposable
{
    private readonly RedisState _redis;

    private GatewaySharing(RedisState redis, Coordinator coordinator) => (_redis, Coordinator) = (redis, coordinator);

    /// <summary>The loop of exchanges.</summary>
    public Coordinator Coordinator { get; }

    /// <summary>The key of hashes that all gateways which share make alike; null: none is configured.</summary>
    /// <param name="options">Null: this gateway is alone.</param>
    /// <param name="environment">Reads an environment variable.</param>
    public static ulong? HashKey(RedisOptions? options, Func<string, string?> environment)
    {
        if (options is null)
        {
            return null;
        }
        var secret = Value(options.SecretEnv) ?? Value(options.PasswordEnv) ?? options.KeyPrefix;
        return BitConverter.ToUInt64(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), "hashes of prompts"u8));

        string? Value(string? variable) => variable is null || environment(variable) is not { Length: > 0 } value ? null : value;
    }

    /// <summary>Starts to share.</summary>
    /// <param name="options">Where Redis is.</param>
    /// <param name="core">What is shared.</param>
    /// <param name="tenants">Whose limits are shared; their checks ask from now on.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Hears of changes.</param>
    public static GatewaySharing Start(
        RedisOptions options, GatewayCore core, TenantKeeper tenants, Func<string, string?> environment, TimeProvider time, ILogger log)
    {
        var id = Convert.ToHexString(RandomNumberGenerator.GetBytes(8)).ToLower(CultureInfo.InvariantCulture);
        var redis = new RedisState(options, options.PasswordEnv is { } name ? environment(name) : null, id, time);
        var limits = new SharedLimitLedger(tenants.Ledger, id, redis, options, time);
        tenants.ShareLimits(limits);
        var coordinator = new Coordinator(redis, options, () => core.SharedPools, () => core.Lengths, limits, time, log);
        coordinator.Start();
        return new GatewaySharing(redis, coordinator);
    }

    public async ValueTask DisposeAsync()
    {
        await Coordinator.DisposeAsync();
        await _redis.DisposeAsync();
    }
}
