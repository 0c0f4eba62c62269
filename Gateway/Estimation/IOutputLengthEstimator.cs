using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>Predicts the length of an answer. Reading only: learning is <see cref="IOutputLengthLearner"/>. Thread-safe.</summary>
public interface IOutputLengthEstimator
{
    /// <summary>Name in the configuration.</summary>
    string Name { get; }

    /// <summary>The distribution of the length of one answer, before the request's own limits cut it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="model">The pool's name, to which lengths are attributed.</param>
    LengthDistribution Predict(InferenceRequest request, string model);
}

/// <summary>Takes the lesson of a completed answer. Thread-safe.</summary>
public interface IOutputLengthLearner
{
    /// <param name="request">The request that was answered.</param>
    /// <param name="model">The pool's name.</param>
    /// <param name="outputTokens">Tokens of one answer, at least 0.</param>
    /// <param name="isCensored">The answer was cut (limit reached, client left): its length is only a lower bound.</param>
    void Learn(InferenceRequest request, string model, int outputTokens, bool isCensored);
}

/// <summary>What an estimator has learned, to be kept over a restart. Thread-safe.</summary>
public interface ILengthMemory
{
    /// <summary>Writes all that was learned.</summary>
    void Export(BinaryWriter writer);

    /// <summary>Takes the place of all that was learned.</summary>
    /// <exception cref="InvalidDataException">The bytes are damaged; what was learned may be lost, so import into a fresh one.</exception>
    /// <exception cref="EndOfStreamException">The bytes end too early.</exception>
    void Import(BinaryReader reader);
}
