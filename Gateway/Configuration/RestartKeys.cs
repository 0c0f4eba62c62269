namespace Gateway.Configuration;

/// <summary>Settings that a running gateway cannot change.</summary>
internal static class RestartKeys
{
    /// <summary>What runs after a reload of the settings that need a restart, but for an estimator that was exchanged.</summary>
    public static GatewayOptions Running(GatewayOptions running, GatewayOptions now) =>
        running.Estimation.Estimator == now.Estimation.Estimator ? running : running with
        {
            Estimation = running.Estimation with { Estimator = now.Estimation.Estimator, Window = now.Estimation.Window, InitialOutputTokens = now.Estimation.InitialOutputTokens },
        };

    /// <summary>Paths of the settings that differ and need a restart.</summary>
    public static IEnumerable<string> Changed(GatewayOptions before, GatewayOptions after)
    {
        var (old, now) = (before.Listen, after.Listen);
        var isSameList = old.Urls.SequenceEqual(now.Urls) && old.CorsOrigins.SequenceEqual(now.CorsOrigins);
        if (!isSameList || old != now with { Urls = old.Urls, CorsOrigins = old.CorsOrigins })
        {
            yield return "listen";
        }

        if (before.Routing.Seed != after.Routing.Seed)
        {
            yield return "routing.seed";
        }

        if (before.Estimation.SnapshotPath != after.Estimation.SnapshotPath)
        {
            yield return "estimation.snapshotPath";
        }

        if (before.Estimation.SnapshotInterval != after.Estimation.SnapshotInterval)
        {
            yield return "estimation.snapshotInterval";
        }

        // Another estimator is made anew, with all settings.
        if (before.Estimation.Estimator == after.Estimation.Estimator)
        {
            if (before.Estimation.Window != after.Estimation.Window)
            {
                yield return "estimation.window";
            }

            if (before.Estimation.InitialOutputTokens != after.Estimation.InitialOutputTokens)
            {
                yield return "estimation.initialOutputTokens";
            }
        }

        if (before.Resilience.ConnectTimeout != after.Resilience.ConnectTimeout)
        {
            yield return "resilience.connectTimeout";
        }

        var (redis, redisNow) = (before.Redis, after.Redis);
        var isSameRedis = (redis?.Servers ?? []).SequenceEqual(redisNow?.Servers ?? []);
        if (!isSameRedis || redis != (redisNow is null ? null : redisNow with { Servers = redis?.Servers ?? [] }))
        {
            yield return "redis";
        }

        if (before.Telemetry.AccessLog != after.Telemetry.AccessLog)
        {
            yield return "telemetry.accessLog";
        }

        if (before.Telemetry.LogLevel != after.Telemetry.LogLevel)
        {
            yield return "telemetry.logLevel";
        }
    }
}
