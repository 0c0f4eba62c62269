using Gateway.Replicas;

namespace Gateway.Queueing;

/// <content>What is known of one client.</content>
internal sealed partial class RoomShares
{
    /// <summary>One client's part of the room.</summary>
    /// <param name="usual">What it usually asks for; null: that is not kept.</param>
    internal sealed class Client(UsualDemand? usual)
    {
        private PoolShares _peak;
        private PoolShares _peakBefore;
        private long _half;
        private PoolShares _waiting;

        public HeldShares Held { get; } = new();

        /// <summary>What it holds and its waiting requests ask for.</summary>
        public PoolShares Wanted => Held.Shares + _waiting;

        public int WaitingCount { get; private set; }

        public double Weight { get; set; } = 1;

        /// <summary>Whether it floods, as of the last look.</summary>
        public bool Floods { get; set; }

        /// <summary>Requests that it sent, one of half a minute earlier counting 1/e of one of now; in terms of the start of the half of a minute that was noted last.</summary>
        public double Asked { get; private set; }

        /// <summary>What it held at most in this half of a minute and the one before.</summary>
        public PoolShares Peak => PoolShares.Max(_peak, _peakBefore);

        /// <summary>The most requests that it usually has sent at any time, counted like <see cref="Asked"/>, but in terms of that time; null: not known.</summary>
        public double? UsuallyAsked(long half) => usual?.At(half);

        /// <summary>One of its requests begins to wait.</summary>
        public void AddWaiting(in PoolShares shares)
        {
            _waiting += shares;
            WaitingCount++;
        }

        /// <summary>The wait of one is over.</summary>
        public void RemoveWaiting(in PoolShares shares)
        {
            WaitingCount--;
            _waiting = WaitingCount == 0 ? default : _waiting - shares;
        }

        /// <summary>Notes what it holds now.</summary>
        /// <param name="half">Number of the half of a minute that it is.</param>
        /// <returns>The peak.</returns>
        public PoolShares NotePeak(long half)
        {
            Asked *= half == _half ? 1 : Math.Exp(_half - half);
            (_peakBefore, _peak, _half) = half == _half ? (_peakBefore, PoolShares.Max(_peak, Held.Shares), half) : (half == _half + 1 ? _peak : default, Held.Shares, half);
            return Peak;
        }

        /// <summary>It sends a request. Later ones weigh more, so that nothing need fade between two halves of a minute.</summary>
        /// <param name="halves">Time in halves of a minute.</param>
        public void NoteAsked(double halves)
        {
            var half = (long)halves;
            NotePeak(half);
            Asked += Math.Exp(halves - half);
            usual?.Note(half, Asked * Math.Exp(half - halves));
        }
    }
}
