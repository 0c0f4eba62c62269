using Gateway.Replicas;

namespace Gateway.Queueing;

/// <content>Who floods.</content>
internal sealed partial class RoomShares
{
    // At less, bursts of long answers are floods.
    private const double FloodOfRoom = 3;

    // Half as many again. At less, bursts of usual clients are floods; at more, those who are flooded wait until a backlog shows.
    private const double FloodOfRequests = 1.5;

    // Of few requests chance alone makes more than half as many again.
    private const double ChanceRequests = 2;

    // Each costs a look at all who are present. More are a crowd: the furthest beyond are held, and the turns of the rest are fair.
    private const int MostFlooders = 8;

    // Who is only ahead of the others may have done nothing unusual.
    private const double HeadroomOfWhoIsAhead = 0.3;

    // Of those who have some of the room or wait for it; as of the last look.
    private Client[] _present = new Client[16];
    private (double Wanted, double Weight)[] _open = new (double, double)[16];
    private double _weights;

    /// <summary>Marks who floods: who asks for more than usual, else who is ahead of all others.</summary>
    /// <param name="count">How many are present.</param>
    /// <param name="halves">Time in halves of a minute.</param>
    /// <param name="most">Headroom at most.</param>
    /// <returns>Headrooms at most where these flood, and the sum of their own peaks; zeros: nobody floods.</returns>
    private (PoolShares Most, PoolShares Peaks) FindFlooders(int count, double halves, double most)
    {
        // What was asked counts in terms of this half's start.
        var (half, fade) = ((long)halves, Math.Exp((long)halves - halves));
        var (peaks, asked, flood) = (default(PoolShares), _everybody.Asked, false);
        for (var found = 0; found < MostFlooders && FindBeyondUsual(count, half, fade, asked) is >= 0 and var index; found++)
        {
            (peaks, asked, flood) = (peaks + Mark(index), asked - _present[index].Asked, true);
        }
        return flood ? (new PoolShares(most, most), peaks)
            : FindAhead(count) is >= 0 and var ahead ? (new PoolShares(Math.Min(most, HeadroomOfWhoIsAhead), 0), Mark(ahead)) : default;
    }

    private PoolShares Mark(int index)
    {
        _present[index].Floods = true;
        // There is no telling what it wants.
        _open[index].Wanted = double.PositiveInfinity;
        return _present[index].Peak;
    }

    // Of those who want more than an even share of the room, or of the engines' time for prompts, and ask for half as much again as they usually do, the one that is furthest beyond; -1: nobody.
    // As far as all the others together are busier than usual, so may each be.
    private int FindBeyondUsual(int count, long half, double fade, double asked)
    {
        var (furthest, most) = (-1, 1.0);
        var usualOfAll = _everybody.UsuallyAsked(half) ?? double.PositiveInfinity;
        for (var i = 0; i < count; i++)
        {
            var client = _present[i];
            if (!client.Floods && WantsMoreThanEven(i) && client.UsuallyAsked(half) is { } usual)
            {
                var others = Math.Max(1, (asked - client.Asked) * fade / usualOfAll);
                var beyond = ((client.Asked * fade) - ChanceRequests) / (FloodOfRequests * usual * others);
                (furthest, most) = beyond > most ? (i, beyond) : (furthest, most);
            }
        }
        return furthest;
    }

    private bool WantsMoreThanEven(int index) => Math.Max(_open[index].Wanted, _present[index].Wanted.Prefill) * _weights > _present[index].Weight;

    // The one that is ahead of all others; -1: nobody is.
    private int FindAhead(int count)
    {
        (Lead room, Lead pressure) = (new(), new());
        for (var i = 0; i < count; i++)
        {
            var (asked, share) = (_present[i].Asked / _present[i].Weight, _open[i].Wanted / _present[i].Weight);
            room.Note(i, share);
            pressure.Note(i, asked * asked * share);
        }
        // Room alone shows a flood of usual requests only once there is a backlog; requests alone miss a flood of few long ones, and one that stopped with a backlog.
        return room.IsFarAhead(FloodOfRoom) ? room.Index : pressure.IsFarAhead(FloodOfRequests * FloodOfRequests) ? pressure.Index : -1;
    }

    /// <summary>Who has the most of something.</summary>
    private record struct Lead()
    {
        private double _most;
        private double _second;

        /// <summary>As it was noted; -1: nobody was.</summary>
        public int Index { get; private set; } = -1;

        public void Note(int index, double amount)
        {
            (_most, _second, Index) = amount >= _most ? (amount, _most, index) : (_most, Math.Max(_second, amount), Index);
        }

        /// <summary>Whether it has at least so many times as much as anybody else.</summary>
        public readonly bool IsFarAhead(double factor) => _most >= factor * _second;
    }
}
