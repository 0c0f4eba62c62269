using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>The addresses now behind a model's <c>dns</c> names: the last good answer, whatever the name server does since. Thread-safe.</summary>
internal sealed partial class ResolvedNames(string model, INameResolver names, TimeProvider time, ILogger log)
{
    /// <summary>Empty answers in a row that are believed; fewer are taken for a hiccup of the name server.</summary>
    public const int EmptyAnswersToBelieve = 3;

    private const int MaxAddresses = 1_024;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<Uri, Known> _known = [];

    private sealed class Known
    {
        public IReadOnlyList<IPAddress> Addresses { get; set; } = [];

        public int EmptyAnswers { get; set; }

        public bool IsFailing { get; set; }
    }

    /// <summary>The last good answer; empty before the first.</summary>
    public IReadOnlyList<IPAddress> Of(Uri name)
    {
        lock (_gate)
        {
            return _known.TryGetValue(name, out var known) ? known.Addresses : [];
        }
    }

    /// <summary>Forgets every name but these.</summary>
    public void Keep(IReadOnlySet<Uri> configured)
    {
        lock (_gate)
        {
            foreach (var gone in _known.Keys.Where(name => !configured.Contains(name)).ToArray())
            {
                _known.Remove(gone);
            }
        }
    }

    /// <summary>Asks once; a failure leaves everything as it was.</summary>
    public async Task ResolveAsync(Uri name, CancellationToken cancellationToken)
    {
        try
        {
            using var expiry = new CancellationTokenSource(Timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
            Take(name, await names.ResolveAsync(name.IdnHost, either.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Complain(name, "no answer in time");
        }
        catch (SocketException problem)
        {
            Complain(name, problem.Message);
        }
    }

    private void Take(Uri name, IReadOnlyList<IPAddress> answer)
    {
        lock (_gate)
        {
            var known = KnownLocked(name);
            known.IsFailing = false;
            known.EmptyAnswers = answer.Count == 0 ? Math.Min(known.EmptyAnswers, EmptyAnswersToBelieve) + 1 : 0;
            if (known.EmptyAnswers == EmptyAnswersToBelieve)
            {
                Log.Empty(log, model, name.Host);
            }
            if (answer.Count > 0 || known.EmptyAnswers >= EmptyAnswersToBelieve)
            {
                // Name servers rotate their answers: an order of our own keeps equal lists equal.
                known.Addresses = [.. answer
                    .Select(address => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
                    .Distinct()
                    .OrderBy(address => address.AddressFamily)
                    .ThenBy(address => Convert.ToHexString(address.GetAddressBytes()), StringComparer.Ordinal)
                    .Take(MaxAddresses)];
            }
        }
    }

    private void Complain(Uri name, string problem)
    {
        lock (_gate)
        {
            var known = KnownLocked(name);
            if (!known.IsFailing)
            {
                known.IsFailing = true;
                Log.Unresolved(log, model, name.Host, known.Addresses.Count, problem);
            }
        }
    }

    private Known KnownLocked(Uri name)
    {
        if (!_known.TryGetValue(name, out var known))
        {
            _known[name] = known = new Known();
        }
        return known;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "model {Model}: {Name} cannot be resolved, its last addresses ({Count}) stay: {Problem}")]
        public static partial void Unresolved(ILogger log, string model, string name, int count, string problem);

        [LoggerMessage(Level = LogLevel.Warning, Message = "model {Model}: {Name} stands for no address: no such name, or nothing runs behind it. Correct dns, or start what it names")]
        public static partial void Empty(ILogger log, string model, string name);
    }
}
