using System.Diagnostics.CodeAnalysis;

namespace Gateway.Simulation.Serving;

/// <summary>An answer of the responses API that can be asked for again, and gone on from.</summary>
/// <param name="Json">The whole response object as UTF-8.</param>
/// <param name="Conversation">Prompt and answer as the engine saw them.</param>
internal sealed record StoredResponse(byte[] Json, string Conversation);

/// <summary>The latest responses by id; the oldest one goes when there are too many. Thread-safe.</summary>
internal sealed class ResponseStore(int capacity)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, StoredResponse> _responses = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();

    public void Add(string id, StoredResponse response)
    {
        lock (_gate)
        {
            _responses[id] = response;
            _order.Enqueue(id);
            if (_order.Count > capacity)
            {
                _responses.Remove(_order.Dequeue());
            }
        }
    }

    public bool TryGet(string id, [NotNullWhen(true)] out StoredResponse? response)
    {
        lock (_gate)
        {
            return _responses.TryGetValue(id, out response);
        }
    }

    public bool Remove(string id)
    {
        lock (_gate)
        {
            return _responses.Remove(id);
        }
    }
}
