using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Coordination;

/// <summary>What several gateways share, kept by Redis. Connects by itself, again and again. Thread-safe.</summary>
public sealed class RedisState : ISharedState, IAsyncDisposable
{
    // Time of the server, so that no two gateways' clocks are compared; 15 digits of milliseconds before the content.
    private const string Post = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local lease = tonumber(ARGV[3])
        if #ARGV[2] > 0 then
          redis.call('HSET', KEYS[1], ARGV[1], string.format('%015d', now) .. ARGV[2])
        else
          redis.call('HDEL', KEYS[1], ARGV[1])
        end
        redis.call('PEXPIRE', KEYS[1], lease)
        local all = redis.call('HGETALL', KEYS[1])
        local others = {}
        for i = 1, #all, 2 do
          -- What carries no time was not put there by a gateway of today: as old as can be, so that it goes.
          local age = math.max(0, now - (tonumber(string.sub(all[i + 1], 1, 15)) or 0))
          if age > lease then
            redis.call('HDEL', KEYS[1], all[i])
          elseif all[i] ~= ARGV[1] then
            others[#others + 1] = all[i]
            others[#others + 1] = age
            others[#others + 1] = string.sub(all[i + 1], 16)
          end
        end
        return others
        """;

    private const string Tell = """
        if #ARGV[2] > 0 then
          redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'gateway', ARGV[1], 'batch', ARGV[2])
          redis.call('PEXPIRE', KEYS[1], ARGV[5])
        end
        local page = {}
        for _, told in ipairs(redis.call('XRANGE', KEYS[1], ARGV[3], '+', 'COUNT', 64)) do
          page[#page + 1] = told[1]
          page[#page + 1] = told[2][2] == ARGV[1] and '' or told[2][4] or ''
        end
        return page
        """;

    private static readonly TimeSpan NewsLife = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly RedisOptions _options;
    private readonly string? _password;
    private readonly string _gateway;
    private readonly TimeProvider _time;
    private Task<ConnectionMultiplexer>? _connection;
    private long _heardAt;

    /// <param name="options">Where it is.</param>
    /// <param name="password">Null: none.</param>
    /// <param name="gateway">Whose access this is.</param>
    /// <param name="time">Measures how long an answer takes.</param>
    public RedisState(RedisOptions options, string? password, string gateway, TimeProvider time) =>
        (_options, _password, _gateway, _time, _heardAt) = (options, password, gateway, time, time.GetTimestamp());

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken)
    {
        var found = await EvaluateAsync(Post, "board:" + board, [_gateway, entry, (long)lease.TotalMilliseconds], cancellationToken);
        var others = new BoardEntry[found.Length / 3];
        for (var i = 0; i < others.Length; i++)
        {
            others[i] = new BoardEntry(found[3 * i]!, TimeSpan.FromMilliseconds((long)found[(3 * i) + 1]), found[(3 * i) + 2]!);
        }
        return others;
    }

    /// <inheritdoc/>
    public async ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken)
    {
        var from = after is null ? "-" : "(" + after;
        var found = await EvaluateAsync(Tell, "news", [_gateway, batch, from, News.MostBatches, (long)NewsLife.TotalMilliseconds], cancellationToken);
        var batches = new List<byte[]>();
        for (var i = 1; i < found.Length; i += 2)
        {
            if (!found[i].IsNullOrEmpty)
            {
                batches.Add(found[i]!);
            }
        }
        return new NewsPage(batches, found.Length > 0 ? (string)found[^2]! : after);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is { } connection)
        {
            try
            {
                (await connection.WaitAsync(_options.Timeout, _time)).Close(allowCommandsToComplete: false);
            }
            catch (Exception refused) when (refused is RedisException or TimeoutException)
            {
                // It never was open.
            }
        }
    }

    private async Task<RedisValue[]> EvaluateAsync(string script, string key, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        var connecting = Connection();
        try
        {
            var connection = await connecting.WaitAsync(_options.Timeout, _time, cancellationToken);
            var answer = connection.GetDatabase().ScriptEvaluateAsync(script, [$"{_options.KeyPrefix}:{key}"], arguments);
            var found = (RedisValue[])await answer.WaitAsync(_options.Timeout, _time, cancellationToken);
            Volatile.Write(ref _heardAt, _time.GetTimestamp());
            return found;
        }
        catch (TimeoutException)
        {
            GiveUpOn(connecting);
            throw;
        }
    }

    private Task<ConnectionMultiplexer> Connection()
    {
        lock (_gate)
        {
            return _connection is null or { IsFaulted: true }
                ? _connection = ConnectionMultiplexer.ConnectAsync(Settings(_options, _password))
                : _connection;
        }
    }

    // A server that hangs, or a machine that is gone without a word, leaves a connection open for a quarter of an hour, and whatever is asked on it waits in memory. Asked
    // anew, the name may lead to the server that took over.
    private void GiveUpOn(Task<ConnectionMultiplexer> silent)
    {
        lock (_gate)
        {
            if (_connection != silent || !silent.IsCompletedSuccessfully || _time.GetElapsedTime(Volatile.Read(ref _heardAt)) < _options.Lease)
            {
                return;
            }
            _connection = null;
            Volatile.Write(ref _heardAt, _time.GetTimestamp());
        }
        silent.Result.Close(allowCommandsToComplete: false);
    }

    private static ConfigurationOptions Settings(RedisOptions options, string? password)
    {
        var settings = new ConfigurationOptions
        {
            // Redis may come later than the gateway.
            AbortOnConnectFail = false,
            ConnectTimeout = (int)options.Timeout.TotalMilliseconds,
            SyncTimeout = (int)options.Timeout.TotalMilliseconds,
            Password = password,
            Ssl = options.Tls,
            ClientName = "gateway",
        };
        if (options is { Tls: true, CaFile: { } path })
        {
            var authority = RedisAuthority.Read(File.ReadAllText(path));
            settings.CertificateValidation += (_, certificate, chain, errors) => authority?.Trusts(certificate, chain, errors) == true;
        }
        foreach (var endpoint in options.Servers)
        {
            var colon = endpoint.LastIndexOf(':');
            settings.EndPoints.Add(endpoint[..colon].Trim('[', ']'), int.Parse(endpoint[(colon + 1)..], CultureInfo.InvariantCulture));
        }
        return settings;
    }
}
