using Gateway.Replicas;

namespace Gateway.Queueing;

/// <content>Who is present, and what each held at most.</content>
internal sealed partial class RoomShares
{
    private PoolShares _restingPeaks;
    private long _restingHalf;
    private double _prefill;

    // What each held at most, summed up. Who was idle for a minute is forgotten.
    private PoolShares Gather(long half, out int count)
    {
        CountResting(half);
        _everybody.NotePeak(half);
        (count, var peaks, _weights, _prefill) = (0, _restingPeaks, 0, 0);
        foreach (var (key, client) in _clients)
        {
            var wants = client.Wanted;
            peaks += client.NotePeak(half);
            client.Floods = false;
            if (!wants.IsAny && client.WaitingCount == 0)
            {
                _clients.Remove(key);
                if (client.Peak.IsAny)
                {
                    _resting.Add(key, client);
                    _restingPeaks += client.Peak;
                }
                continue;
            }
            if (count == _open.Length)
            {
                Array.Resize(ref _open, 2 * count);
                Array.Resize(ref _present, 2 * count);
            }
            _weights += client.Weight;
            _present[count] = client;
            _prefill += client.Held.Prefill;
            _open[count++] = (wants.Room, client.Weight);
        }
        return peaks;
    }

    // The peak of who holds nothing changes only from one half of a minute to the next.
    private void CountResting(long half)
    {
        if (half == _restingHalf)
        {
            return;
        }
        (_restingHalf, _restingPeaks) = (half, default);
        foreach (var (key, client) in _resting)
        {
            if (client.NotePeak(half) is { IsAny: true } peak)
            {
                _restingPeaks += peak;
            }
            else
            {
                _resting.Remove(key);
            }
        }
    }
}
