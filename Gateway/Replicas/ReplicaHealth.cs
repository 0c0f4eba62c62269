namespace Gateway.Replicas;

/// <summary>Whether a replica gets new work, and why not.</summary>
public enum ReplicaHealth
{
    /// <summary>Not probed yet: no work.</summary>
    Unknown,

    /// <summary>Gets work.</summary>
    Up,

    /// <summary>Its probes fail.</summary>
    Down,

    /// <summary>Reachable, but it does not serve the pool's model.</summary>
    WrongModel,

    /// <summary>Its answers failed: left alone for a while, then tried with one request.</summary>
    Suspended,

    /// <summary>It asked to be left alone (429, 503) for a while.</summary>
    BackingOff,

    /// <summary>Running answers finish, nothing new is sent.</summary>
    Draining,
}

/// <summary>How a replica stands.</summary>
/// <param name="Health">Whether it gets new work.</param>
/// <param name="Reason">Why not, for people: at most 200 characters; null: it gets work, or nobody said why.</param>
/// <param name="Since">When that began.</param>
public readonly record struct ReplicaStanding(ReplicaHealth Health, string? Reason, DateTimeOffset Since);

/// <summary>What a replica has for one request.</summary>
public enum RoomVerdict
{
    /// <summary>It gets no work now.</summary>
    NoWork,

    /// <summary>It works, and has no room for the request.</summary>
    Full,

    /// <summary>It works and has room.</summary>
    Room,
}
