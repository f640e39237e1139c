"""Which DICOM attributes the basic confidentiality profile removes or empties.

Source: DICOM PS3.15, table E.1-1, column "Basic Profile": X (remove), Z (empty), D (dummy), U (map UID); where a
choice depends on the type of the object (X/Z, X/D, Z/D), the attribute is emptied when its object needs it and
removed otherwise. Attributes of type text that table E.1-1 adds over the years are caught by name as well.
"""

from __future__ import annotations

import re

REMOVED = frozenset(
    """
    AcquisitionComments AcquisitionContextSequence AcquisitionDate AcquisitionDateTime
    AcquisitionDeviceProcessingDescription AcquisitionProtocolDescription AcquisitionTime ActualHumanPerformersSequence
    AdditionalPatientHistory AddressTrial AdmissionID AdmittingDate AdmittingDiagnosesCodeSequence
    AdmittingDiagnosesDescription AdmittingTime AffectedSOPInstanceUID Allergies AuthorObserverSequence
    BranchOfService CassetteID CommentsOnThePerformedProcedureStep ConfidentialityConstraintOnPatientDataDescription
    ContentCreatorIdentificationCodeSequence ContentCreatorName ContentSequence ContrastBolusAgent
    ContributionDescription CountryOfResidence CurrentPatientLocation CurveData CurveDate CurveTime
    CustodialOrganizationSequence DataSetTrailingPadding DateOfLastCalibration DateOfLastDetectorCalibration
    DateOfSecondaryCapture DerivationDescription DetectorID DeviceSerialNumber DeviceUID DigitalSignatureUID
    DigitalSignaturesSequence DischargeDiagnosisDescription DistributionAddress DistributionName
    EthnicGroup FillerOrderNumberImagingServiceRequest FrameComments GantryID GeneratorID GraphicAnnotationSequence
    HumanPerformerName HumanPerformerOrganization IconImageSequence IdentifyingComments ImageComments
    ImagePresentationComments ImagingServiceRequestComments Impressions InstanceCreationDate InstanceCreationTime
    InstanceCreatorUID InstitutionAddress InstitutionCodeSequence InstitutionName InstitutionalDepartmentName
    InsurancePlanIdentification IntendedRecipientsOfResultsIdentificationSequence InterpretationApproverSequence
    InterpretationAuthor InterpretationDiagnosisDescription InterpretationIDIssuer InterpretationRecorder
    InterpretationText InterpretationTranscriber IssuerOfAdmissionID IssuerOfPatientID IssuerOfServiceEpisodeID
    LastMenstrualDate MAC MedicalAlerts MedicalRecordLocator MilitaryRank ModifiedAttributesSequence
    ModifiedImageDescription ModifyingDeviceID ModifyingDeviceManufacturer NameOfPhysiciansReadingStudy
    NamesOfIntendedRecipientsOfResults Occupation OperatorIdentificationSequence OperatorsName
    OriginalAttributesSequence OrderCallbackPhoneNumber OrderEnteredBy OrderEntererLocation OtherPatientIDs
    OtherPatientIDsSequence OtherPatientNames OverlayComments OverlayData OverlayDate OverlayTime
    ParticipantSequence PatientAddress PatientAge PatientBirthName PatientBirthTime PatientComments
    PatientInstitutionResidence PatientInsurancePlanCodeSequence PatientMotherBirthName
    PatientPrimaryLanguageCodeSequence PatientPrimaryLanguageModifierCodeSequence PatientReligiousPreference PatientSize
    PatientSizeCodeSequence PatientState PatientTelecomInformation PatientTelephoneNumbers PatientTransportArrangements
    PatientWeight PerformedLocation PerformedProcedureStepDescription PerformedProcedureStepEndDate
    PerformedProcedureStepEndTime PerformedProcedureStepID PerformedProcedureStepStartDate
    PerformedProcedureStepStartTime PerformedStationAETitle PerformedStationName PerformedStationNameCodeSequence
    PerformingPhysicianIdentificationSequence PerformingPhysicianName PersonAddress PersonIdentificationCodeSequence
    PersonName PersonTelephoneNumbers PersonTelecomInformation PhysicianApprovingInterpretation
    PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence
    PlacerOrderNumberImagingServiceRequest PlateID PreMedication PregnancyStatus ProtocolName
    ReasonForOmissionDescription ReasonForStudy ReasonForTheImagingServiceRequest ReasonForTheRequestedProcedure
    ReferencedDigitalSignatureSequence ReferencedPatientAliasSequence ReferencedPatientPhotoSequence
    ReferencedPatientSequence ReferencedSOPInstanceMACSequence ReferringPhysicianAddress
    ReferringPhysicianIdentificationSequence ReferringPhysicianTelephoneNumbers RegionOfResidence
    RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments RequestedProcedureDescription
    RequestedProcedureID RequestedProcedureLocation RequestingPhysician RequestingService
    ResponsibleOrganization ResponsiblePerson ResultsComments ResultsDistributionListSequence ResultsIDIssuer
    ReviewerName ScheduledHumanPerformersSequence ScheduledPatientInstitutionResidence
    ScheduledPerformingPhysicianIdentificationSequence ScheduledPerformingPhysicianName
    ScheduledProcedureStepDescription ScheduledProcedureStepEndDate ScheduledProcedureStepEndTime
    ScheduledProcedureStepLocation ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime
    ScheduledStationAETitle ScheduledStationName ScheduledStudyLocation SeriesDate SeriesDescription
    SeriesTime ServiceEpisodeDescription ServiceEpisodeID SmokingStatus SourceImageSequence SpecialNeeds
    SpecimenAccessionNumber StationName StructureSetDescription StudyComments StudyDescription StudyIDIssuer
    TextComments TextString TimeOfLastCalibration TimeOfLastDetectorCalibration TimeOfSecondaryCapture
    TimezoneOffsetFromUTC
    TopicAuthor TopicKeywords TopicSubject TopicTitle TransducerIdentificationSequence UniqueDeviceIdentifier
    VerifyingOrganization VisitComments XRaySourceID
    """.split()  # noqa: SIM905 - a list of words reads best as words
)

EMPTIED = frozenset(
    """
    AccessionNumber ContentDate ContentTime FillerOrderNumber PatientBirthDate PatientSex PlacerOrderNumber
    ReferringPhysicianName StudyDate StudyID StudyTime VerifyingObserverIdentificationCodeSequence
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
REMOVED = REMOVED - EMPTIED

# Attributes that newer editions add follow these patterns.
REMOVED_NAMES = re.compile(
    r"(Telephone|Telecom|Address|Physician(?!s?Name$)|Operators?(Name|Identification)|PersonName|Institution"
    r"|PatientTelecom|EncapsulatedDocument|AuthorOf|Comments?$|SerialNumber$|.*UserName|Barcode)"
)

UID_NAMES = frozenset(
    """
    SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID ReferencedSOPInstanceUID
    ReferencedFrameOfReferenceUID SynchronizationFrameOfReferenceUID IrradiationEventUID ConcatenationUID
    DimensionOrganizationUID TrackingUID StorageMediaFileSetUID TransactionUID UID InstanceCreatorUID
    """.split()  # noqa: SIM905 - a list of words reads best as words
)

KEPT_UIDS = frozenset(
    """
    SOPClassUID ReferencedSOPClassUID MediaStorageSOPClassUID TransferSyntaxUID ContextUID MappingResourceUID
    CodingSchemeUID ContextGroupExtensionCreatorUID RelatedGeneralSOPClassUID OriginalSpecializedSOPClassUID
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
