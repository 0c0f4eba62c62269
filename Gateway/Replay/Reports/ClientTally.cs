namespace Gateway.Replay.Reports;

/// <summary>How evenly a run served its clients.</summary>
/// <param name="Clients">Clients told apart; at most <see cref="ClientTally.MostClients"/>.</param>
/// <param name="JainIndex">Over served tokens: 1 when all got the same, 1/n when one got all (Jain, Chiu and Hawe, 1984).</param>
/// <param name="TimeToFirstTokenRatio">Largest mean TTFT of a client over the smallest; null where the smallest is 0.</param>
public sealed record ClientFairness(int Clients, double JainIndex, double? TimeToFirstTokenRatio);

/// <summary>Counts what each client got. The first 1,000 clients are told apart; later ones are not counted.</summary>
internal sealed class ClientTally
{
    /// <summary>Clients told apart.</summary>
    public const int MostClients = 1_000;

    private readonly Dictionary<string, int> _places = [];
    private readonly List<Row> _rows = [];

    public void Add(in RequestResult result)
    {
        var client = result.ClientId ?? "";
        if (!_places.TryGetValue(client, out var place))
        {
            if (_rows.Count == MostClients)
            {
                return;
            }
            place = _rows.Count;
            _places[client] = place;
            _rows.Add(new Row());
        }
        var row = _rows[place];
        row.Tokens += (long)result.InputTokens + result.OutputTokens;
        row.Requests++;
        row.FirstTokenSeconds += result.TimeToFirstToken.TotalSeconds;
    }

    /// <summary>The indices; null where fewer than two clients were served.</summary>
    public ClientFairness? Fairness()
    {
        if (_rows.Count < 2)
        {
            return null;
        }
        double sum = 0;
        double squares = 0;
        var least = double.PositiveInfinity;
        double most = 0;
        foreach (var row in _rows)
        {
            sum += row.Tokens;
            squares += (double)row.Tokens * row.Tokens;
            var mean = row.FirstTokenSeconds / row.Requests;
            least = Math.Min(least, mean);
            most = Math.Max(most, mean);
        }
        var jain = squares > 0 ? sum * sum / (_rows.Count * squares) : 1;
        return new ClientFairness(_rows.Count, jain, least > 0 ? most / least : null);
    }

    private sealed class Row
    {
        public long Tokens { get; set; }

        public long Requests { get; set; }

        public double FirstTokenSeconds { get; set; }
    }
}
