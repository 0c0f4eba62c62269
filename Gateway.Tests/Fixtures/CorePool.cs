using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Fixtures;

/// <summary>A pool with its queue, on a clock that stands still: what serves, without a socket.</summary>
internal sealed class CorePool : IDisposable
{
    private static readonly FaultLimits Faults = new(3, TimeSpan.FromSeconds(10));

    /// <param name="replicas">How many, all up.</param>
    /// <param name="slots">Requests that each runs at once; null: unlimited.</param>
    /// <param name="kvTokens">Room of each; null: unknown.</param>
    /// <param name="queue">Limits on waiting.</param>
    /// <param name="routing">How one is chosen.</param>
    public CorePool(int replicas = 1, int? slots = 1, long? kvTokens = null, QueueOptions? queue = null, RoutingOptions? routing = null)
    {
        Routing = routing ?? new RoutingOptions();
        Pool = new Pool(new ModelOptions { Name = "m" }, Faults, Time);
        Prefixes = new PrefixIndex(1 << 20, Time);
        Pool.SlotFreed += Prefixes.Forget;
        Plan = new DispatchPlan(queue ?? new QueueOptions(), Routing, new FcfsOrder(), new PastFutureAdmission());
        var scorers = RoutingPolicies.Plan(Routing, new Random(5));
        Dispatcher = new Dispatcher(Pool, Prefixes, () => Plan, new Router(() => scorers, new Random(7)), Time);
        SetReplicas([.. Enumerable.Range(0, replicas).Select(i => Place(i, slots, kvTokens))]);
    }

    public ManualTime Time { get; } = new();

    public RoutingOptions Routing { get; }

    public Pool Pool { get; }

    public PrefixIndex Prefixes { get; }

    public Dispatcher Dispatcher { get; }

    public DispatchPlan Plan { get; set; }

    public static ReplicaPlace Place(int number, int? slots = 1, long? kvTokens = null)
    {
        var url = new Uri($"http://10.0.0.{number + 1}:8000");
        return new ReplicaPlace($"r{number}", url, new ReplicaOptions { Url = url, Slots = slots, KvTokens = kvTokens });
    }

    public static InferenceRequest Request(
        string id = "q", PriorityClass priority = PriorityClass.Default, int level = 0, TimeSpan? deadline = null, ulong[]? blocks = null,
        ulong session = 0, int promptTokens = 100, long bodyBytes = 400) => new()
        {
            Id = id,
            Route = ApiRoute.ChatCompletions,
            Model = "m",
            Priority = priority,
            PriorityLevel = level,
            Deadline = deadline,
            SessionKey = session,
            Prefix = new PrefixFingerprint(blocks ?? [], 40),
            Body = new BodyFacts { BodyBytes = bodyBytes, PromptBytes = promptTokens * 4 },
        };

    public static RequestEstimate Cost(int promptTokens = 100, int outputTokens = 50, int sequences = 1) =>
        new(promptTokens, promptTokens / 2, new OutputLengthEstimate(null, 0, outputTokens), sequences);

    public void SetReplicas(IReadOnlyList<ReplicaPlace> places)
    {
        Pool.SetReplicas(places);
        foreach (var replica in Pool.Replicas)
        {
            replica.OnProbed(ReplicaHealth.Up);
        }
    }

    /// <summary>Enters and keeps what is told.</summary>
    public Entry Enter(InferenceRequest request, RequestEstimate? cost = null, Constraints? constraints = null)
    {
        var entry = new Entry(request);
        entry.Waiter = Dispatcher.Enter(request, cost ?? Cost(), constraints ?? Constraints.None, entry.Tell);
        return entry;
    }

    public void Dispose() => Dispatcher.Dispose();

    /// <summary>Ends one after the other; each end lets the next one in.</summary>
    public static List<string> Drain(Entry running, params Entry[] waiting)
    {
        var order = new List<Entry>();
        foreach (var entry in waiting)
        {
            entry.OnTold = order.Add;
        }
        running.Done();
        for (var i = 0; i < order.Count; i++)
        {
            order[i].Done();
        }
        return [.. order.Select(entry => entry.Id)];
    }

    /// <summary>One who asked for a turn.</summary>
    internal sealed class Entry(InferenceRequest request)
    {
        private int _told;

        public string Id => request.Id;

        public Waiter? Waiter { get; set; }

        public int TimesTold => Volatile.Read(ref _told);

        public AdmissionResult? Result { get; private set; }

        public AdmissionOutcome? Outcome => Result?.Outcome;

        public string? Replica => Result?.Reservation?.Replica.Id;

        public Action<Entry>? OnTold { get; set; }

        public void Tell(AdmissionResult result)
        {
            Result = result;
            Interlocked.Increment(ref _told);
            OnTold?.Invoke(this);
        }

        public void Done() => Result!.Value.Reservation!.Dispose();
    }
}
