using Gateway.Queueing.Orders;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>The waiting requests of a pool by class, those in favourites' lines only counted: the most urgent class first, but those below keep a reserved share of the turns. Not thread-safe.</summary>
internal sealed class ClassQueues
{
    private const int Classes = 3;

    // Ten times a tenth is less than one.
    private const double WholeTurn = 1 - 1e-9;

    private readonly WaitingHeap[] _classes = [new(), new(), new()];
    private readonly List<Waiter> _pinned = [];
    private readonly int[] _counts = new int[Classes];
    private readonly double[] _credit = new double[Classes];
    private readonly Dictionary<ulong, int> _placesOfClients = [];
    private Waiter[] _some = new Waiter[16];
    private long _sequence;

    public int Count { get; private set; }

    /// <summary>Body bytes that the waiting requests hold.</summary>
    public long Bytes { get; private set; }

    /// <summary>Those that one replica alone can answer, in the order of their arrival: they wait beside the others, not before them.</summary>
    public IReadOnlyList<Waiter> Pinned => _pinned;

    public int CountOf(PriorityClass priority) => _counts[(int)priority];

    public void Add(Waiter waiter)
    {
        // One that comes back from its favourite's line keeps its place.
        Number(waiter);
        if (waiter.Constraints.Pinned is not null)
        {
            _pinned.Add(waiter);
        }
        else if (!waiter.IsPinned)
        {
            _classes[(int)waiter.Request.Priority].Add(waiter);
        }
        _counts[(int)waiter.Request.Priority]++;
        _placesOfClients[waiter.Request.TenantKey] = PlacesOf(waiter.Request) + 1;
        Count++;
        Bytes += waiter.Request.Body.BodyBytes;
    }

    /// <summary>Everybody who waits, but for those in lines.</summary>
    public IEnumerable<Waiter> All() => [.. _classes.SelectMany(static waiting => waiting.All.ToArray()), .. _pinned];

    /// <summary>Gives a request its place in the order of coming, once.</summary>
    public void Number(Waiter waiter) => waiter.Sequence = waiter.Sequence == 0 ? ++_sequence : waiter.Sequence;

    public void Remove(Waiter waiter)
    {
        var index = (int)waiter.Request.Priority;
        if (waiter.Constraints.Pinned is not null)
        {
            _pinned.Remove(waiter);
        }
        else if (!waiter.IsPinned)
        {
            _classes[index].Remove(waiter);
        }
        if (_classes[index].Count == 0)
        {
            _credit[index] = 0;
        }
        _counts[index]--;
        _placesOfClients[waiter.Request.TenantKey] = PlacesOf(waiter.Request) - 1;
        if (PlacesOf(waiter.Request) == 0)
        {
            _placesOfClients.Remove(waiter.Request.TenantKey);
        }
        Count--;
        Bytes -= waiter.Request.Body.BodyBytes;
    }

    /// <summary>Whether somebody waits for a turn; pinned ones wait beside the turns.</summary>
    public bool HasTurns => Turns > 0;

    private int Turns => _classes[0].Count + _classes[1].Count + _classes[2].Count;

    /// <summary>Who is next: from the most urgent class, unless a lower class has saved up a turn. Null when nobody waits but pinned ones.</summary>
    /// <param name="order">Who goes first within the class.</param>
    /// <param name="now">Time since the core started.</param>
    public Waiter? Next(IQueueOrder order, TimeSpan now)
    {
        WaitingHeap? next = null;
        for (var index = 0; index < Classes; index++)
        {
            if (_classes[index].Count > 0 && (next is null || _credit[index] >= WholeTurn))
            {
                next = _classes[index];
            }
        }
        return next is null ? null : NextOf(next, order, now);
    }

    /// <summary>One of those who wait for a turn, by a number that goes round; null when nobody does.</summary>
    public Waiter? At(uint number)
    {
        var place = Turns is > 0 and var turns ? (int)(number % turns) : 0;
        foreach (var waiting in _classes)
        {
            if (place < waiting.Count)
            {
                return waiting.All[place];
            }
            place -= waiting.Count;
        }
        return null;
    }

    /// <summary>Gives one that waits for its turn another key.</summary>
    public void Rekey(Waiter waiter, double rank) => _classes[(int)waiter.Request.Priority].Rekey(waiter, rank);

    /// <summary>Who is next of some of those who wait, the most urgent class that has such first; null: there are none.</summary>
    /// <param name="order">Who goes first within the class.</param>
    /// <param name="now">Time since the core started.</param>
    /// <param name="counts">Which of them.</param>
    public Waiter? NextOf(IQueueOrder order, TimeSpan now, Func<Waiter, bool> counts)
    {
        foreach (var waiting in _classes)
        {
            if (Selecting.Copy(waiting.All, counts, ref _some) is { Length: > 0 } some)
            {
                return some[Selecting.Of(order, some, now)];
            }
        }
        return null;
    }

    /// <summary>Who is next of the most urgent class, whatever a lower one has saved up; null when nobody waits but pinned ones.</summary>
    public Waiter? MostUrgent(IQueueOrder order, TimeSpan now) => Array.Find(_classes, static waiting => waiting.Count > 0) is { } first ? NextOf(first, order, now) : null;

    /// <summary>Whether somebody of a more urgent class waits for a turn.</summary>
    public bool HasMoreUrgent(Waiter waiter)
    {
        var found = false;
        for (var index = 0; index < (int)waiter.Request.Priority; index++)
        {
            found |= _classes[index].Count > 0;
        }
        return found;
    }

    /// <summary>Whether there is no place for one more.</summary>
    public bool IsFullFor(InferenceRequest request, QueueOptions limits) =>
        Count >= limits.MaxWaiting || Bytes + request.Body.BodyBytes > limits.MaxWaitingBytes;

    /// <summary>Who gives up its place in a full queue to one that enters; null: nobody. The last that came of the least urgent class, as long as the classes below the entering
    /// one's hold more than their reserved share of the places, and of a more urgent class where they hold less; where clients share by weight, of the client that holds most there, and
    /// of the entering one's own class too, where that is more than its own client would.</summary>
    /// <param name="entering">Who enters.</param>
    /// <param name="limits">Bounds of the queue.</param>
    /// <param name="isFair">Whether clients share by weight.</param>
    public Waiter? YieldsTo(InferenceRequest entering, QueueOptions limits, bool isFair)
    {
        var own = (int)entering.Priority;
        var ownPlaces = (PlacesOf(entering) + 1) / entering.TenantWeight;
        var lower = 0;
        for (var index = own + 1; index < Classes; index++)
        {
            lower += _classes[index].Count;
        }
        var reserved = limits.ReservedShare * Count;
        var isOwed = lower + _classes[own].Count + 1 <= reserved;
        for (var index = Classes - 1; index >= 0; index--)
        {
            var yields = (index > own && lower > reserved) || (index < own && isOwed);
            var shares = isFair && index == own;
            var (found, most) = ((Waiter?)null, 0.0);
            foreach (var waiter in yields || shares ? _classes[index].All : [])
            {
                var places = isFair ? PlacesOf(waiter.Request) / waiter.Request.TenantWeight : 0;
                if ((yields || places > ownPlaces) && !waiter.Constraints.WasSent && Bytes - waiter.Request.Body.BodyBytes + entering.Body.BodyBytes <= limits.MaxWaitingBytes
                    && (found is null || (places, waiter.ArrivedAt).CompareTo((most, found.ArrivedAt)) > 0))
                {
                    (found, most) = (waiter, places);
                }
            }
            if (found is not null)
            {
                return found;
            }
        }
        return null;
    }

    private int PlacesOf(InferenceRequest request) => _placesOfClients.GetValueOrDefault(request.TenantKey);

    /// <summary>How many go before one that enters now, by their keys of now: the more urgent classes, and those of its own that the order puts before it.</summary>
    public int CountAhead(Waiter waiter, IQueueOrder order)
    {
        var own = (int)waiter.Request.Priority;
        var ahead = 0;
        for (var index = 0; index < own; index++)
        {
            ahead += _classes[index].Count;
        }
        if (order is IQueueSelector)
        {
            // Whom it will choose is not known before it chooses.
            return ahead;
        }
        foreach (var other in _classes[own].All)
        {
            ahead += WaitingHeap.Precedes(other, waiter) ? 1 : 0;
        }
        return ahead;
    }

    /// <summary>How many would go before one that enters now if the order were another: one with a constant key.</summary>
    /// <param name="order">The other order.</param>
    /// <param name="request">What enters.</param>
    /// <param name="rank">Its key by that order.</param>
    /// <param name="countsCached">Whether what is cached of a prompt costs no time under the other policy.</param>
    public int CountAheadBy(IQueueOrder order, InferenceRequest request, double rank, bool countsCached)
    {
        var ahead = 0;
        foreach (var waiting in _classes.AsSpan(0, (int)request.Priority + 1))
        {
            foreach (var other in waiting.All)
            {
                var isSameClass = other.Request.Priority == request.Priority;
                var key = (-other.Request.PriorityLevel, order.Rank(other.Request, countsCached ? other.Remaining : other.Estimate, other.ArrivedAt));
                ahead += !isSameClass || key.CompareTo((-request.PriorityLevel, rank)) <= 0 ? 1 : 0;
            }
        }
        return ahead;
    }

    /// <summary>Fills in some of those who would be next without the head: the first of its class by their keys, then those of the others.</summary>
    /// <returns>How many there are.</returns>
    public int Behind(Waiter head, Span<Waiter> first)
    {
        var own = (int)head.Request.Priority;
        var count = _classes[own].First(first);
        for (var index = 0; index < Classes; index++)
        {
            count += index == own ? 0 : _classes[index].First(first[count..]);
        }
        return count;
    }

    /// <summary>Anyone who waits, but for those in a favourite's line; null when nobody does.</summary>
    public Waiter? Any() => Array.Find(_classes, waiting => waiting.Count > 0)?.Head ?? (_pinned.Count > 0 ? _pinned[0] : null);

    /// <summary>Takes out the one whose turn it is, and lets the lower classes save up for theirs.</summary>
    /// <param name="waiter">The result of <see cref="Next"/>, or a pinned one, whose turn takes nobody else's.</param>
    /// <param name="reservedShare">Share of turns that the waiting classes below the most urgent one are owed together, 0 to 1.</param>
    public void TakeTurn(Waiter waiter, double reservedShare)
    {
        if (!waiter.IsPinned)
        {
            Earn(reservedShare);
            var served = (int)waiter.Request.Priority;
            _credit[served] = Math.Max(0, _credit[served] - 1);
        }
        Remove(waiter);
    }

    private static Waiter NextOf(WaitingHeap waiting, IQueueOrder order, TimeSpan now) =>
        order is IBoundedOvertaking bounded && now - waiting.Oldest!.ArrivedAt > bounded.LongestWait ? waiting.Oldest
        : order is IQueueSelector selector ? waiting.All[selector.Select(waiting.All, now)]
        : waiting.Head;

    private void Earn(double reservedShare)
    {
        var first = Array.FindIndex(_classes, waiting => waiting.Count > 0);
        var lower = 0;
        for (var index = first + 1; index < Classes; index++)
        {
            lower += _classes[index].Count > 0 ? 1 : 0;
        }
        _credit[first] = 0;
        for (var index = first + 1; index < Classes; index++)
        {
            // Bounded, so that a class whose head finds no room for long does not take all turns afterwards.
            _credit[index] = _classes[index].Count > 0 ? Math.Min(3, _credit[index] + (reservedShare / lower)) : 0;
        }
    }
}
