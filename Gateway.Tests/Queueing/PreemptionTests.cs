using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>Places that less urgent requests give up: whose, when, and that nobody is lost or doubled by it.</summary>
public sealed class PreemptionTests(ITestOutputHelper output)
{
    [Fact]
    public void Enter_UrgentBehindOneThatHasNotBegun_TakesItsPlaceAndItComesBackFirst()
    {
        using var world = World(PreemptMode.BeforeFirstByte);
        var batch = Flight.Enter(world, "batch", PriorityClass.Batch);
        var other = Flight.Enter(world, "other", PriorityClass.Batch);

        var urgent = Flight.Enter(world, "urgent", PriorityClass.Interactive);

        Assert.Equal((1, true), (batch.GivenUp, urgent.IsRunning));
        Assert.False(batch.IsRunning);
        urgent.End();
        Assert.True(batch.IsRunning);
        batch.End();
        Assert.True(other.IsRunning);
    }

    [Theory]
    [InlineData(PreemptMode.Off, false, 0)]
    [InlineData(PreemptMode.BeforeFirstByte, false, 1)]
    [InlineData(PreemptMode.BeforeFirstByte, true, 0)]
    [InlineData(PreemptMode.Continue, true, 1)]
    public void Enter_UrgentBehindOneThatHasBegun_TakesItsPlaceOnlyWhereItCanGoOn(PreemptMode mode, bool hasBegun, int givenUp)
    {
        using var world = World(mode);
        var batch = Flight.Enter(world, "batch", PriorityClass.Batch);
        if (hasBegun)
        {
            batch.Begin();
        }

        var urgent = Flight.Enter(world, "urgent", PriorityClass.Interactive);
        batch.Token();

        Assert.Equal((givenUp, givenUp == 1), (batch.GivenUp, urgent.IsRunning));
    }

    [Theory]
    [InlineData(39, 1)]
    [InlineData(41, 0)]
    public void Enter_UrgentBehindALongAnswer_StopsItOnlyWithinTheLimit(int generated, int givenUp)
    {
        using var world = World(PreemptMode.Continue, limit: 0.8);
        var batch = Flight.Enter(world, "batch", PriorityClass.Batch);
        batch.Begin();
        batch.Generate(generated);

        Flight.Enter(world, "urgent", PriorityClass.Interactive);
        batch.Token();

        // Of 50 expected tokens, 40 are within 0.8.
        Assert.Equal(givenUp, batch.GivenUp);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("deadline")]
    [InlineData("timeout")]
    [InlineData("pinned")]
    [InlineData("sameClass")]
    [InlineData("twice")]
    [InlineData("waited")]
    public void Enter_UrgentBehindOneThatIsBound_WaitsItsTurn(string why)
    {
        using var world = World(PreemptMode.BeforeFirstByte);
        if (why == "waited")
        {
            var first = Flight.Enter(world, "first", PriorityClass.Batch, isStreaming: false);
            var late = Flight.Enter(world, "late", PriorityClass.Batch);
            world.Time.Advance(TimeSpan.FromSeconds(21));
            first.End();
            Assert.True(Flight.Enter(world, "urgent", PriorityClass.Interactive) is { IsRunning: false } && late.IsRunning);
            return;
        }
        var batch = Flight.Enter(world, "batch", why == "sameClass" ? PriorityClass.Interactive : PriorityClass.Batch, isStreaming: why != "plain",
            deadline: why == "deadline" ? TimeSpan.FromHours(1) : null, timeout: why == "timeout" ? TimeSpan.FromHours(1) : null, pinned: why == "pinned" ? 0 : null);
        for (var i = 0; why == "twice" && i < 2; i++)
        {
            Flight.Enter(world, "urgent", PriorityClass.Interactive).End();
        }

        var last = Flight.Enter(world, "urgent", PriorityClass.Interactive);

        Assert.Equal((true, false, why == "twice" ? 2 : 0), (batch.IsRunning, last.IsRunning, batch.GivenUp));
    }

    [Fact]
    public void Enter_UrgentAndLarge_TakesThePlacesOfTheNewestThatSuffice()
    {
        using var world = new CorePool(slots: null, kvTokens: 1_000, queue: Options(PreemptMode.BeforeFirstByte, 0.8));
        var batches = Enumerable.Range(0, 5).Select(i => Flight.Enter(world, $"b{i}", PriorityClass.Batch, cost: CorePool.Cost(100, 50))).ToArray();

        var urgent = Flight.Enter(world, "urgent", PriorityClass.Interactive, cost: CorePool.Cost(400, 50));

        Assert.True(urgent.IsRunning);
        Assert.Equal([0, 0, 0, 1, 1], batches.Select(batch => batch.GivenUp));
    }

    [Fact]
    public void Enter_BatchByItsReservedShare_KeepsItsPlace()
    {
        using var world = new CorePool(queue: Options(PreemptMode.BeforeFirstByte, 0.8) with { ReservedShare = 0.5 });
        var first = Flight.Enter(world, "first", PriorityClass.Interactive);
        var urgent = Enumerable.Range(0, 6).Select(i => Flight.Enter(world, $"u{i}", PriorityClass.Interactive)).ToList();
        var batch = Flight.Enter(world, "batch", PriorityClass.Batch);

        first.End();
        while (!batch.IsRunning)
        {
            urgent.First(flight => flight.IsRunning).End();
        }
        var another = Flight.Enter(world, "another", PriorityClass.Interactive);

        Assert.Contains(urgent, flight => flight is { IsRunning: false, HasEnded: false });
        Assert.Equal((true, false, 0), (batch.IsRunning, another.IsRunning, batch.GivenUp));
    }

    [Theory]
    [InlineData(PreemptMode.BeforeFirstByte, 41)]
    [InlineData(PreemptMode.BeforeFirstByte, 42)]
    [InlineData(PreemptMode.Continue, 43)]
    [InlineData(PreemptMode.Continue, 44)]
    public void Enter_AtRandom_LosesAndDoublesNobody(PreemptMode mode, int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = new CorePool(3, slots: 4, kvTokens: 3_000, Options(mode, 0.6) with { MaxWait = TimeSpan.FromHours(1), MaxWaiting = 100_000 });
        var all = new List<Flight>();
        for (var i = 0; i < 6_000; i++)
        {
            var open = all.Where(flight => !flight.HasEnded).ToList();
            var running = open.Where(flight => flight.IsRunning).ToList();
            switch (chance.Next(8))
            {
                case < 3 when open.Count < 40:
                    all.Add(Flight.Enter(world, $"{i}", (PriorityClass)chance.Next(3), isStreaming: chance.Next(5) > 0, cost: CorePool.Cost(chance.Next(1, 900), chance.Next(1, 300))));
                    break;
                case 3 when running.Count > 0:
                    running[chance.Next(running.Count)].Begin();
                    break;
                case 4 when running.Count > 0:
                    running[chance.Next(running.Count)].Generate(chance.Next(1, 60));
                    break;
                case 5 when open.Count > 0:
                    open[chance.Next(open.Count)].Cancel();
                    break;
                case 6:
                    world.Time.Advance(TimeSpan.FromMilliseconds(chance.Next(400)));
                    break;
                default:
                    if (running.Count > 0)
                    {
                        running[chance.Next(running.Count)].End();
                    }
                    break;
            }
            // Who is asked while its answer goes by stops at its next token.
            all.ForEach(flight => flight.Token());
            Assert.Equal(all.Count(flight => flight.IsRunning), world.Pool.ReplicaList.Sum(replica => replica.Snapshot().RunningRequests));
            Assert.Equal(all.Count(flight => flight is { IsRunning: false, HasEnded: false }), Enum.GetValues<PriorityClass>().Sum(world.Dispatcher.Waiting));
        }
        for (var turn = 0; turn < 5_000 && all.Find(flight => flight.IsRunning) is { } last; turn++)
        {
            last.End();
        }

        Assert.All(all, flight => Assert.True(flight.HasEnded && flight.Admissions <= flight.GivenUp + 1, $"{flight.Id} had {flight.Admissions} places"));
        Assert.All(all, flight => Assert.InRange(flight.GivenUp, 0, Seats.MostTimes));
        Assert.All(world.Pool.ReplicaList, replica => Assert.Equal((0, 0L), (replica.Snapshot().RunningRequests, replica.Snapshot().ReservedTokens)));
        Assert.InRange(all.Sum(flight => flight.GivenUp), 20, 6_000);
        Assert.DoesNotContain(all, flight => flight is { GivenUp: > 0, Class: PriorityClass.Interactive });
        Assert.Equal(mode == PreemptMode.Continue, all.Exists(flight => flight.Interrupted > 0));
    }

    [Fact]
    public void Enter_UrgentThatOnePlaceDidNotHelp_TakesItOnceOthersHaveLeft()
    {
        using var world = new CorePool(slots: 4, queue: Options(PreemptMode.BeforeFirstByte, 1));
        Flight.Enter(world, "large", PriorityClass.Interactive, cost: CorePool.Cost(sequences: 2));
        var small = Flight.Enter(world, "small", PriorityClass.Interactive);
        var batch = Flight.Enter(world, "batch", PriorityClass.Batch);
        var urgent = Flight.Enter(world, "urgent", PriorityClass.Interactive, cost: CorePool.Cost(sequences: 2));
        var before = (batch.GivenUp, urgent.IsRunning);

        small.End();

        Assert.Equal((0, false), before);
        Assert.Equal((1, true), (batch.GivenUp, urgent.IsRunning));
    }

    private static CorePool World(PreemptMode mode, double limit = 1) => new(queue: Options(mode, limit));

    private static QueueOptions Options(PreemptMode mode, double limit) => new() { Preempt = mode, PreemptLimit = limit, Order = "fcfs" };

    /// <summary>Whoever holds a request: gives its place up when asked, and comes back.</summary>
    private sealed class Flight(CorePool world, InferenceRequest request, RequestEstimate cost, int? pinned)
    {
        private Waiter? _waiter;
        private AdmissionResult _place;
        private bool _hasBegun;
        private long _generated;
        private long _earlier;

        public string Id => request.Id;

        public PriorityClass Class => request.Priority;

        public bool IsRunning { get; private set; }

        public bool HasEnded { get; private set; }

        public int GivenUp { get; private set; }

        public int Interrupted { get; private set; }

        public int Admissions { get; private set; }

        public static Flight Enter(
            CorePool world, string id, PriorityClass priority, bool isStreaming = true, TimeSpan? deadline = null, TimeSpan? timeout = null, int? pinned = null,
            RequestEstimate? cost = null)
        {
            var request = CorePool.Request(id, priority, deadline: deadline) with { TotalTimeout = timeout };
            var flight = new Flight(world, request with { Body = request.Body with { IsStreaming = isStreaming } }, cost ?? CorePool.Cost(), pinned);
            flight.Enter(null);
            return flight;
        }

        public void Begin() => _hasBegun |= _place.Seat?.TryBegin(mayContinue: true) ?? true;

        public void Generate(int tokens)
        {
            if (_hasBegun)
            {
                _generated += tokens;
                _place.Reservation!.OnProgress(_generated - _earlier, 10);
            }
        }

        public void Token()
        {
            if (IsRunning && _hasBegun && _place.Seat is { IsAsked: true })
            {
                Interrupted++;
                GiveUp();
            }
        }

        public void End()
        {
            (IsRunning, HasEnded) = (false, true);
            _place.Reservation!.Dispose();
            _place.Seat?.Leave();
        }

        public void Cancel()
        {
            if (IsRunning)
            {
                End();
            }
            else
            {
                _waiter!.Cancel();
            }
        }

        private void Enter(Seat? gaveUp) => _waiter = world.Dispatcher.Enter(request, cost, new Constraints([], pinned is { } slot ? world.Pool.At(slot) : null) { MayGiveUp = true, GaveUp = gaveUp }, Decided);

        private void Decided(AdmissionResult result)
        {
            Assert.False(IsRunning || HasEnded, $"{Id} was told twice");
            if (result.Reservation is null)
            {
                Assert.True(result.Outcome is AdmissionOutcome.CanceledByClient or AdmissionOutcome.RejectedShuttingDown, $"{Id}: {result.Outcome}");
                HasEnded = true;
                return;
            }
            (IsRunning, _place) = (true, result);
            Admissions++;
            if (_hasBegun)
            {
                _place.Seat?.TryBegin(mayContinue: true);
            }
            else
            {
                _place.Seat?.OnAsked(GiveUp);
            }
        }

        private void GiveUp()
        {
            Assert.True(IsRunning);
            GivenUp++;
            (IsRunning, _earlier) = (false, _generated);
            var place = _place.Seat!;
            _place.Reservation!.Dispose();
            place.Leave();
            Enter(place);
        }
    }
}
